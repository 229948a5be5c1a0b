"""What an operator does with accounts, on the command line."""

from typing import Annotated

import typer
from pydantic import ValidationError

from app.accounts.events import Kind
from app.accounts.passwords import easily_guessed, hash_password
from app.accounts.schemas import NewUser
from app.accounts.service import new_account
from groundwork.audit import record
from groundwork.data import new_session
from groundwork.tools import plain_errors, stop

__all__ = ["create_admin"]


def create_admin(
    email: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Add a verified user whose `admin` is true."""
    try:
        new = NewUser.model_validate({"email": email, "password": password})
    except ValidationError as error:
        reasons = [f"{e['loc'][0]}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise stop("; ".join(reasons)) from None
    with plain_errors():
        if weakness := easily_guessed(password, new.email):
            raise stop(f"{weakness.removesuffix('.')}. Choose another password.")
    account = new_account(new.email, hash_password(password), admin=True)
    with plain_errors(), new_session() as session:
        user_id = session.scalar(account)
        if user_id is None:
            raise stop(f"{new.email} has an account already; choose another address.")
        record(session, Kind.ADMIN_MADE, user_id)
        session.commit()
    typer.echo(f"{new.email} is an admin now.")
