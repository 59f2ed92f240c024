"""The headers of the published calls, in both directions."""

REQUEST_ID = "X-Request-ID"
CONVERSATION_ID = "X-Conversation-ID"
TENANT = "Tenant"
