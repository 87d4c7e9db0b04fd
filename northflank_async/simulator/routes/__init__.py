"""The handlers of the documented endpoints, by what they are about."""
