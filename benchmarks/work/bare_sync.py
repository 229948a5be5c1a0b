"""The smallest honest synchronous application: FastAPI, SQLAlchemy, psycopg, a JWT, and what a good engineer writes first.

Whatever may ask the database is a plain function, which FastAPI runs in a thread. It lacks what bare_async.py lacks.
"""

import os
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import create_engine, make_url
from sqlalchemy.orm import Session, sessionmaker

from bare_tables import NewReport, Report, ReportOut, User, UserOut

SECRET_KEY = os.environ["SECRET_KEY"]
URL = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")

engine = create_engine(URL, pool_size=10, max_overflow=0)
sessions = sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
oauth2 = OAuth2PasswordBearer(tokenUrl="token")


def get_session() -> Iterator[Session]:
    with sessions() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]


def current_user(session: SessionDep, token: Annotated[str, Depends(oauth2)]) -> User:
    try:
        claims = jwt.decode(token, SECRET_KEY, ["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    user: User | None = session.get(User, UUID(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(current_user)]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/users/me", response_model=UserOut)
def me(user: CurrentUser) -> User:
    return user


@app.post("/reports", status_code=202, response_model=ReportOut)
def create_report(new: NewReport, user: CurrentUser, session: SessionDep) -> Report:
    report = Report(task="reports.build", arguments={"user_id": str(user.id), "days": new.days}, owner_id=user.id)
    session.add(report)
    session.commit()
    return report
