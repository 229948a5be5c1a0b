"""Makes people who are signed in to the service, and prints an access token of each."""

import json
import sys
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import func

from app.accounts.models import SignIn, User
from groundwork.data import new_session
from groundwork.http import sign_token

# Longer than the service gives: a run takes longer than a token of its lives.
LIFETIME = timedelta(days=1)


def main(people: int) -> None:
    with new_session() as session:
        users = [User(email=f"{uuid4()}@example.org", password_hash="x", verified_at=func.now()) for _ in range(people)]
        session.add_all(users)
        session.flush()
        sign_ins = [SignIn(user_id=user.id, device="a benchmark", address="127.0.0.1") for user in users]
        session.add_all(sign_ins)
        session.flush()
        tokens = [sign_token("access", sign_in.id, LIFETIME) for sign_in in sign_ins]
        session.commit()
    print(json.dumps(tokens))


if __name__ == "__main__":
    main(int(sys.argv[1]))
