"""Rules in CEL, evaluated in a process of their own, within bounds."""
