"""The smallest honest asynchronous application: FastAPI, SQLAlchemy, asyncpg, a JWT, and what a good engineer writes first.

It lacks everything else that the service has: a sign-in that can be ended, limits of bodies, times, hosts and jobs, safe
headers, a request's id and its line in the log, problem documents, a worker that is told of the row, live events.
"""

import os
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bare_tables import NewReport, Report, ReportOut, User, UserOut

SECRET_KEY = os.environ["SECRET_KEY"]
URL = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg")

engine = create_async_engine(URL, pool_size=10, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
oauth2 = OAuth2PasswordBearer(tokenUrl="token")


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


async def current_user(session: SessionDep, token: Annotated[str, Depends(oauth2)]) -> User:
    try:
        claims = jwt.decode(token, SECRET_KEY, ["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    user: User | None = await session.get(User, UUID(claims["sub"]))
    if user is None:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(current_user)]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/users/me", response_model=UserOut)
async def me(user: CurrentUser) -> User:
    return user


@app.post("/reports", status_code=202, response_model=ReportOut)
async def create_report(new: NewReport, user: CurrentUser, session: SessionDep) -> Report:
    report = Report(task="reports.build", arguments={"user_id": str(user.id), "days": new.days}, owner_id=user.id)
    session.add(report)
    await session.commit()
    return report
