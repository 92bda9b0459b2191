"""Talking to a run's models: side by side, blind against one another, or through a server. See docs/talk.md."""
