"""What listens: the control socket today; HTTP API, UI, webhooks and metrics join it here. It reads views and hands in requests."""
