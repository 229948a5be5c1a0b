"""With the client of openapi-python-client: sign in, ask who it is, enqueue a report, and read a problem."""

import json
import sys
from uuid import UUID

from generated import AuthenticatedClient, Client
from generated.api.reports import create_report, get_report
from generated.api.sign_in import sign_in
from generated.api.users import me
from generated.models import BodySignIn, JobOut, NewReport, Problem, Tokens, UserOut

base_url, username, password, nowhere = sys.argv[1:]
tokens = sign_in.sync(client=Client(base_url), body=BodySignIn(username=username, password=password))
assert isinstance(tokens, Tokens)
client = AuthenticatedClient(base_url, tokens.access_token)
person = me.sync(client=client)
job = create_report.sync(client=client, body=NewReport(days=7), idempotency_key="python")
missing = get_report.sync(UUID(nowhere), client=client)
assert isinstance(person, UserOut)
assert isinstance(job, JobOut)
assert isinstance(missing, Problem)
print(json.dumps([person.email, job.status, missing.title]))
