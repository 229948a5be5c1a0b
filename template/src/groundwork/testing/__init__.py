"""What the tests of a service stand on: fixtures (plugin.py), the table of permissions, questions from the document."""

from groundwork.testing.jobs import Published, RunJob
from groundwork.testing.mail import Mailed, Outbox, token_in
from groundwork.testing.processes import SetVariable, Worker, until

__all__ = ["Mailed", "Outbox", "Published", "RunJob", "SetVariable", "Worker", "token_in", "until"]
