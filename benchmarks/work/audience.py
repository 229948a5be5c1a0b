"""Makes people who are signed in and have a job that waits, and prints a ticket and the job of each."""

import json
import sys
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import func

from app.accounts.models import SignIn, User
from durable import insert
from groundwork.data import new_session
from groundwork.http import sign_token
from groundwork.jobs import enqueue

# Longer than the service gives, for all the sockets of a run are opened with it.
LIFETIME = timedelta(hours=1)


def main(people: int) -> None:
    audience = []
    with new_session() as session:
        for number in range(people):
            user = User(email=f"{uuid4()}@example.org", password_hash="x", verified_at=func.now())
            session.add(user)
            session.flush()
            sign_in = SignIn(user_id=user.id, device="a benchmark", address="127.0.0.1")
            session.add(sign_in)
            session.flush()
            job = enqueue(session, insert, owner=user.id, number=number)
            session.flush()
            audience.append({"ticket": sign_token("ticket", sign_in.id, LIFETIME), "job": str(job.id)})
        session.commit()
    print(json.dumps(audience))


if __name__ == "__main__":
    main(int(sys.argv[1]))
