"""Makes the tables of a bare application and its users, and prints an access token of each."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session

from bare_tables import Base, User


def main(people: int) -> None:
    engine = create_engine(make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg"))
    Base.metadata.create_all(engine)
    expires_at = datetime.now(UTC) + timedelta(days=1)
    with Session(engine) as session:
        users = [User(email=f"{uuid4()}@example.org", password_hash="x", verified=True) for _ in range(people)]
        session.add_all(users)
        session.flush()
        claims = [{"sub": str(user.id), "exp": expires_at} for user in users]
        session.commit()
    print(json.dumps([jwt.encode(each, os.environ["SECRET_KEY"], "HS256") for each in claims]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
