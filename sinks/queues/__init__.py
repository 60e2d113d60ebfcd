"""Events to message queues and webhooks, by way of an outbox on disk."""
