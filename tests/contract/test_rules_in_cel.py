"""Rules in CEL of custom resource definitions: what they see, what they say when broken, and which of them are refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from contract.wire import DEFINITIONS, MERGE, Json, Wire, definition

pytestmark = [pytest.mark.contract, pytest.mark.asyncio]

WHERE = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]"
TEXT: Json = {"type": "string", "maxLength": 50}
NUMBER: Json = {"type": "integer"}
NUMBERS: Json = {"type": "array", "maxItems": 5, "items": NUMBER}
MIXED: Json = {"x-kubernetes-int-or-string": True}


def of(*rules: Json, **properties: Json) -> Json:
    schema: Json = {"type": "object", "properties": properties}
    return {**schema, "x-kubernetes-validations": list(rules)} if rules else schema


def ruled(schema: Json, *rules: Json) -> Json:
    return {**schema, "x-kubernetes-validations": list(rules)}


def fresh() -> str:
    return f"d{uuid.uuid4().hex[:10]}.example.com"


async def defined(wire: Wire, schema: Json) -> str:
    """The collection of a new kind with this schema."""
    group = fresh()
    await wire.make(DEFINITIONS, definition(group, schema, subresources={"status": {}}))
    await wire.until(f"/apis/{group}/v1/things", lambda heard: heard.status == 200)
    return f"/apis/{group}/v1/things"


def thing(collection: str, **fields: Any) -> Json:
    version = "/".join(collection.split("/")[2:4])
    return {"apiVersion": version, "kind": "Thing", "metadata": {"name": "a"}, **fields}


Told = list[tuple[str, str, str]]


def told(heard: Any) -> Told:
    """The causes of a refusal."""
    causes = (heard.body.get("details") or {}).get("causes", ())
    return sorted((each["field"], each["reason"], each["message"]) for each in causes)


async def tried(wire: Wire, collection: str, **fields: Any) -> Told:
    """What is said of a new object with these fields."""
    heard = await wire.ask("POST", f"{collection}?dryRun=All", thing(collection, **fields))
    assert heard.status == (422 if told(heard) else 201), heard.body
    return told(heard)


async def changed(wire: Wire, collection: str, before: Json, after: Json) -> Told:
    """What is said of a change from one state to another."""
    await wire.make(collection, thing(collection, **before))
    live = (await wire.ask("GET", f"{collection}/a")).body
    heard = await wire.ask("PUT", f"{collection}/a", {**thing(collection, **after), "metadata": live["metadata"]})
    await wire.ask("DELETE", f"{collection}/a")
    return told(heard)


SAYS = [
    ({"rule": "self.a <= self.b"}, {"a": 2, "b": 1}, ("spec", "FieldValueInvalid", "Invalid value: failed rule: self.a <= self.b")),
    ({"rule": "self.a != 3", "message": " no three "}, {"a": 3}, ("spec", "FieldValueInvalid", "Invalid value: no three")),
    (
        {"rule": "self.a != 4", "messageExpression": "'a is %d'.format([self.a])", "message": "m"},
        {"a": 4},
        ("spec", "FieldValueInvalid", "Invalid value: a is 4"),
    ),
    ({"rule": "self.a != 5", "messageExpression": "''", "message": "m"}, {"a": 5}, ("spec", "FieldValueInvalid", "Invalid value: m")),
    (
        {"rule": "self.a != 6", "messageExpression": "'two\\nlines'"},
        {"a": 6},
        ("spec", "FieldValueInvalid", "Invalid value: failed rule: self.a != 6"),
    ),
    (
        {"rule": "self.a != 7", "reason": "FieldValueForbidden", "fieldPath": ".m.k", "message": "x"},
        {"a": 7},
        ("spec.m.k", "FieldValueForbidden", "Forbidden: x"),
    ),
    (
        {"rule": "self.a != 8", "reason": "FieldValueRequired", "fieldPath": ".n['x-y']", "message": "x"},
        {"a": 8},
        ("spec.n.x-y", "FieldValueRequired", "Required value: x"),
    ),
    ({"rule": "self.a != 9", "reason": "FieldValueDuplicate"}, {"a": 9}, ("spec", "FieldValueDuplicate", "Duplicate value")),
    (
        {"rule": "self.b == 1"},
        {"a": 1},
        ("spec", "FieldValueInvalid", 'Invalid value: "object": no such key: b evaluating rule: self.b == 1'),
    ),
    (
        {"rule": "self.a / 0 == 1", "message": "m"},
        {"a": 1},
        ("spec", "FieldValueInvalid", 'Invalid value: "object": division by zero evaluating rule: m'),
    ),
    (
        {"rule": "self.l[5] == 1"},
        {"l": [1]},
        ("spec", "FieldValueInvalid", 'Invalid value: "object": index out of bounds: 5 evaluating rule: self.l[5] == 1'),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "spec", "expected"), SAYS, ids=lambda value: str(value)[:50])
async def test_a_broken_rule_says_so(wire: Wire, rule: Json, spec: Json, expected: tuple[str, str, str]) -> None:
    fields = {"a": NUMBER, "b": NUMBER, "l": NUMBERS, "m": of(k=TEXT), "n": of(**{"x-y": TEXT})}
    collection = await defined(wire, of(spec=of(rule, **fields)))
    assert await tried(wire, collection, spec=spec) == [expected]


HOLDS = [
    (TEXT, "self.find('[0-9]+') == '12'", "ab12c", "ab13c"),
    (TEXT, "self.findAll('[0-9]+') == ['1', '2']", "a1b2", "a1"),
    (TEXT, "self.lowerAscii() == 'a-b' && self.matches('^[A-Z-]+$')", "A-B", "a-b"),
    (TEXT, "isURL(self) && url(self).getHost() == 'a.b:80' && url(self).getPort() == '80'", "https://a.b:80/c?x=1", "a.b:80"),
    (TEXT, "isURL(self) && url(self).getQuery() == {'x': ['1']} && url(self).getEscapedPath() == '/c'", "https://a.b/c?x=1", "/c?x=2"),
    (TEXT, "isQuantity(self) && quantity(self).isGreaterThan(quantity('1Mi'))", "1Gi", "1Ki"),
    (TEXT, "quantity(self) == quantity('1024Mi') && quantity(self).add(1).sub(1).compareTo(quantity('1Gi')) == 0", "1Gi", "1G"),
    (TEXT, "isSemver(self) && semver(self).isGreaterThan(semver('1.2.3-rc.2'))", "1.2.3-rc.10", "1.2.3-rc.1"),
    (TEXT, "semver(self, true).compareTo(semver('1.2.0')) == 0 && semver('1.2.3').patch() == 3", "v1.02", "1.3"),
    (TEXT, "isSemver(self)", "1.2.3-a.1+b", "1.2.03"),
    (TEXT, "semver(self) == semver('1.2.3') && semver(self).major() == 1 && semver(self).minor() == 2", "1.2.3", "1.2.3-a"),
    (TEXT, "isIP(self) && ip(self).family() == 4", "192.0.2.1", "2001:db8::1"),
    (TEXT, "isCIDR(self) && cidr(self).containsIP('10.1.2.3') && cidr(self).prefixLength() == 8", "10.0.0.0/8", "10.1.2.0/24"),
    (TEXT, "self in ['a', 'b']", "a", "c"),
    (NUMBERS, "self.isSorted() && self.sum() == 3 && self.max() == 2", [1, 2], [2, 1]),
    (NUMBERS, "self.sort() == [1, 2] && self.reverse().slice(0, 1) == [1] && self.distinct() == self", [2, 1], [1, 2]),
    (NUMBERS, "[self, [3]].flatten() == [1, 3] && lists.range(2) == [0, 1]", [1], [2]),
    (TEXT, "ip(self).isGlobalUnicast() && !ip(self).isLinkLocalMulticast()", "10.0.0.1", "169.254.1.1"),
    (NUMBERS, "self.indexOf(2) == 1 && self.lastIndexOf(9) == -1", [1, 2], [2, 2]),
    (NUMBERS, "sets.contains(self, [1]) && self.exists_one(x, x > 1)", [1, 2], [3]),
    (MIXED, "type(self) == int ? self > 3 : self.endsWith('%')", 4, "4"),
    ({"type": "number"}, "self * 2.0 == 4.0", 2, 3),
    ({"type": "string", "format": "date-time"}, "self > timestamp('2026-01-01T00:00:00Z')", "2027-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
    ({"type": "string", "format": "duration"}, "self > duration('1h')", "2h", "1m"),
    ({"type": "string", "format": "byte"}, "self == b'x'", "eA==", "eQ=="),
    ({"type": "object", "maxProperties": 3, "additionalProperties": TEXT}, "self.all(k, self[k] == 'v')", {"a-b": "v"}, {"a": "w"}),
    (of(namespace=TEXT, **{"a-b": TEXT}), "self.?a__dash__b.orValue('') == self.__namespace__", {"a-b": "x", "namespace": "x"}, {"namespace": "y"}),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "rule", "right", "wrong"), HOLDS, ids=[each[1][:40] for each in HOLDS])
async def test_rules_see_values_and_know_functions(wire: Wire, schema: Json, rule: str, right: Any, wrong: Any) -> None:
    collection = await defined(wire, of(v=ruled(schema, {"rule": rule, "message": "m"})))
    shown = "" if isinstance(wrong, dict | list) else f" {wrong}:" if not isinstance(wrong, str) else f' "{wrong}":'
    assert await tried(wire, collection, v=right) == []
    assert await tried(wire, collection, v=wrong) == [("v", "FieldValueInvalid", f"Invalid value:{shown} m")]


FAILS = [
    (TEXT, "ip(self).family() == 6", "::ffff:1.2.3.4", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
    (TEXT, "ip(self).family() == 6", "fe80::1%a", 'IP address "fe80::1%a" with zone value is not allowed'),
    (NUMBERS, "self.slice(0, 2) == []", [1], "cannot slice(0, 2), list is length 1"),
    (NUMBERS, "self.slice(-1, 2) == []", [1], "cannot slice(-1, 2), negative indexes not supported"),
]


@pytest.mark.parametrize(("schema", "rule", "value", "why"), FAILS, ids=[each[3] for each in FAILS])
async def test_what_functions_say_of_a_value(wire: Wire, schema: Json, rule: str, value: Any, why: str) -> None:
    collection = await defined(wire, of(v=ruled(schema, {"rule": rule})))
    [(_, _, message)] = await tried(wire, collection, v=value)
    assert message.endswith(f": {why} evaluating rule: {rule}")


async def test_what_functions_refuse_is_told(wire: Wire) -> None:
    rules = {"q": "quantity(self).asInteger() == 3", "i": "int(self) == 3", "d": "duration(self) > duration('1s')"}
    mixed = ruled(MIXED, {"rule": "self > 1"})
    schemas = {name: ruled(TEXT, {"rule": rule}) for name, rule in rules.items()}
    collection = await defined(wire, of(**schemas, m=mixed, l=ruled(NUMBERS, {"rule": "self.min() == 2"})))
    assert await tried(wire, collection, q="x", i="x", d="x", m="x", l=[]) == [
        ("d", "FieldValueInvalid", f"Invalid value: \"string\": type conversion error from 'string' to 'google.protobuf.Duration' evaluating rule: {rules['d']}"),
        ("i", "FieldValueInvalid", f"Invalid value: \"string\": type conversion error from 'string' to 'int' evaluating rule: {rules['i']}"),
        ("l", "FieldValueInvalid", 'Invalid value: "array": min called on empty list evaluating rule: self.min() == 2'),
        ("m", "FieldValueInvalid", "Invalid value: \"\": 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: self > 1"),
        ("q", "FieldValueInvalid", f"Invalid value: \"string\": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$' evaluating rule: {rules['q']}"),
    ]  # fmt: skip


async def test_rules_wait_for_what_the_schema_itself_refuses(wire: Wire) -> None:
    spec = of(
        {"rule": "self.a != 3", "message": "m"},
        a=NUMBER,
        e={"type": "string", "enum": ["x"]},
        p={"type": "string", "pattern": "^a"},
    )
    collection = await defined(wire, of(spec=spec))
    unchecked = "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
    for wrong in ({"e": "y"}, {"a": "x"}):
        assert ("<nil>", "FieldValueInvalid", unchecked) in await tried(wire, collection, spec={"a": 3, **wrong})
    both = await tried(wire, collection, spec={"a": 3, "p": "b"})
    assert [field for field, _, _ in both] == ["spec", "spec.p"]


async def test_the_root_shows_its_name_only(wire: Wire) -> None:
    rules = ({"rule": "self.metadata.name != 'a' || self.spec.x", "message": "no a"},)
    collection = await defined(wire, of(*rules, spec=of(x={"type": "boolean"})))
    assert await tried(wire, collection, spec={"x": False}) == [("<nil>", "FieldValueInvalid", "Invalid value: no a")]
    assert await tried(wire, collection, spec={"x": True}) == []


class TestTransitions:
    """Rules that see what was there before."""

    async def test_of_a_field(self, wire: Wire) -> None:
        collection = await defined(wire, of(v=ruled(TEXT, {"rule": "self == oldSelf", "message": "stays"})))
        assert await changed(wire, collection, {"v": "1"}, {"v": "2"}) == [
            ("v", "FieldValueInvalid", 'Invalid value: "2": stays')
        ]
        assert await changed(wire, collection, {"v": "1"}, {}) == []
        assert await changed(wire, collection, {}, {"v": "1"}) == []

    async def test_of_an_optional_old_value(self, wire: Wire) -> None:
        rule = {
            "rule": "oldSelf.hasValue() || self == 'first'",
            "optionalOldSelf": True,
            "message": "starts with first",
        }
        same = {"rule": "oldSelf.orValue('first') == 'first' || self == oldSelf.value()", "optionalOldSelf": True}
        collection = await defined(wire, of(v=ruled(TEXT, rule, {**same, "message": "stays"})))
        assert await tried(wire, collection, v="second") == [
            ("v", "FieldValueInvalid", 'Invalid value: "second": starts with first')
        ]
        assert await changed(wire, collection, {"v": "first"}, {"v": "second"}) == []

    async def test_of_items_with_keys_and_of_values(self, wire: Wire) -> None:
        item = {**of({"rule": "self.v >= oldSelf.v", "message": "grows"}, n=TEXT, v=NUMBER), "required": ["n"]}
        parts = {"type": "array", "maxItems": 4, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
        value = ruled(NUMBER, {"rule": "self >= oldSelf", "message": "up"})
        table = {"type": "object", "maxProperties": 4, "additionalProperties": value}
        collection = await defined(wire, of(parts={**parts, "items": item}, table=table))
        before = {"parts": [{"n": "x", "v": 2}, {"n": "y", "v": 1}], "table": {"k": 2}}
        after = {"parts": [{"n": "y", "v": 1}, {"n": "x", "v": 1}], "table": {"k": 1, "j": 1}}
        assert await changed(wire, collection, before, after) == [
            ("parts[1]", "FieldValueInvalid", "Invalid value: grows"),
            ("table[k]", "FieldValueInvalid", "Invalid value: 1: up"),
        ]

    async def test_by_an_apply_a_patch_and_a_write_of_the_status(self, wire: Wire) -> None:
        schema = of(v=ruled(NUMBER, {"rule": "self >= oldSelf"}), status=of({"rule": "self.s < 3"}, s=NUMBER))
        collection = await defined(wire, schema)
        await wire.make(collection, thing(collection, v=2))
        applied = await wire.ask(
            "PATCH",
            f"{collection}/a?fieldManager=m&force=true",
            thing(collection, v=1),
            kind="application/apply-patch+yaml",
        )
        patched = await wire.ask("PATCH", f"{collection}/a", {"v": 1}, kind=MERGE)
        status = await wire.ask("PATCH", f"{collection}/a/status", {"status": {"s": 3}}, kind=MERGE)
        assert [told(each)[0][0] for each in (applied, patched, status)] == ["v", "v", "status"]

    async def test_what_was_wrong_before_is_only_warned_of(self, wire: Wire) -> None:
        collection = await defined(wire, of(v=NUMBER, w=NUMBER))
        await wire.make(collection, thing(collection, v=1, w=1))
        name = f"{DEFINITIONS}/things.{collection.split('/')[2]}"
        body = (await wire.ask("GET", name)).body
        schema = of(v=ruled(NUMBER, {"rule": "self > 1", "message": "m"}), w=NUMBER)
        body["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
        assert (await wire.ask("PUT", name, body)).status == 200

        for _ in range(1000):  # until the rule is served; before, it is told only that the name is taken
            if (await wire.ask("POST", f"{collection}?dryRun=All", thing(collection, v=1))).status == 422:
                break
        heard = await wire.ask("PATCH", f"{collection}/a", {"w": 2}, kind=MERGE)
        assert (heard.status, heard.warnings) == (200, ('299 - "v: Invalid value: 1: m"',))
        assert (await wire.ask("PATCH", f"{collection}/a", {"v": 0}, kind=MERGE)).status == 422


REFUSED: list[tuple[Json, str, str, str]] = [
    ({"rule": " "}, "rule", "FieldValueRequired", "Required value: rule is not specified"),
    ({"rule": "foo == 1"}, "rule", "FieldValueInvalid", "compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo == 1\n | ^"),
    ({"rule": "self.a <"}, "rule", "FieldValueInvalid", "compilation failed: ERROR: <input>:1:9: Syntax error: "),
    ({"rule": "1 == 'x'"}, "rule", "FieldValueInvalid", "compilation failed: ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, string)'\n | 1 == 'x'\n | ..^"),
    ({"rule": "size(self.b)"}, "rule", "FieldValueInvalid", "cel expression must evaluate to a bool"),
    ({"rule": "self.a == 1", "message": "  "}, "message", "FieldValueInvalid", 'Invalid value: "  ": must be non-empty if specified'),
    ({"rule": "self.a == 1", "message": "a\nb"}, "message", "FieldValueInvalid", 'Invalid value: "a\\nb": must not contain line breaks'),
    ({"rule": "self.a ==\n 1"}, "message", "FieldValueRequired", "Required value: message must be specified if rule contains line breaks"),
    ({"rule": "self.a == 1", "reason": "Other"}, "reason", "FieldValueNotSupported", 'Unsupported value: "Other": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'),
    ({"rule": "self.a == 1", "fieldPath": ".zz"}, "fieldPath", "FieldValueInvalid", 'Invalid value: ".zz": must be a valid path'),
    ({"rule": "self.a == 1", "fieldPath": "a"}, "fieldPath", "FieldValueInvalid", 'Invalid value: "a": must be a valid path'),
    ({"rule": "self.a == 1", "fieldPath": ".l[0]"}, "fieldPath", "FieldValueInvalid", 'Invalid value: ".l[0]": must be a valid path'),
    ({"rule": "self.a == 1", "messageExpression": "size(self.b)"}, "messageExpression", "FieldValueInvalid", "messageExpression must evaluate to a string"),
    ({"rule": "self.a == 1", "messageExpression": " "}, "messageExpression", "FieldValueRequired", "Required value: messageExpression must be non-empty if specified"),
    ({"rule": "self.a == 1", "optionalOldSelf": True}, "optionalOldSelf", "FieldValueInvalid", "Invalid value: true: may not be set if oldSelf is not used in rule"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "field", "reason", "why"), REFUSED, ids=lambda value: str(value)[:50])
async def test_a_rule_that_cannot_be_used_is_refused(wire: Wire, rule: Json, field: str, reason: str, why: str) -> None:
    spec = of(rule, a=NUMBER, b=TEXT, l=NUMBERS)
    heard = await wire.ask("POST", f"{DEFINITIONS}?dryRun=All", definition(fresh(), of(spec=spec)))
    [(where, said, message)] = told(heard)
    assert (heard.status, where, said) == (422, f"{WHERE}.{field}", reason)
    assert why in message
    if "compilation" in why:
        shown = '{"Rule":"' + rule["rule"].replace("<", "\\u003c")
        assert message.startswith(f"Invalid value: {shown}")


async def test_old_values_of_items_that_cannot_be_told_apart_are_refused(wire: Wire) -> None:
    item = ruled(TEXT, {"rule": "self == oldSelf"})
    schema = of(spec=of(l={"type": "array", "maxItems": 3, "items": item}))
    heard = await wire.ask("POST", f"{DEFINITIONS}?dryRun=All", definition(fresh(), schema))
    where = "spec.validation.openAPIV3Schema.properties[spec].properties[l]"
    why = f'Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within {where}'
    assert told(heard) == [(f"{where}.items.x-kubernetes-validations[0].rule", "FieldValueInvalid", why)]


async def test_a_default_that_breaks_a_rule_is_refused(wire: Wire) -> None:
    schema = of(v={**ruled(NUMBER, {"rule": "self > 3"}), "default": 2})
    heard = await wire.ask("POST", f"{DEFINITIONS}?dryRun=All", definition(fresh(), schema))
    where = "spec.validation.openAPIV3Schema.properties[v].default"
    assert told(heard) == [(where, "FieldValueInvalid", "Invalid value: 2: failed rule: self > 3")]
