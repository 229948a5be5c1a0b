"""`app mail`: what an operator does about mail."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from sqlalchemy import delete, select

from groundwork.data.connections import engine, new_session
from groundwork.mail import provider
from groundwork.mail.delivery import automatic, our_address
from groundwork.mail.failures import PermanentFailure, ProviderMisconfigured, TemporaryFailure
from groundwork.mail.message import Address, MessageInvalid
from groundwork.mail.models import SuppressedAddress
from groundwork.mail.rendering import render
from groundwork.settings import get_settings
from groundwork.tools.correctable import plain_errors
from groundwork.tools.terminal import stop

__all__ = ["mail"]

mail = typer.Typer(no_args_is_help=True, help="Try the mail provider, and see who gets no more mail.")
Email = Annotated[str, typer.Argument(help="Such as you@example.org.")]


@mail.command("test")
def send_test(email: Email) -> None:
    """Send a real message now, whatever MAIL_DRY_RUN says, and explain the provider's answer."""
    with plain_errors():
        our_address()
        try:
            to = Address(email).email
            carrier, link = provider.check(), get_settings().link("/docs")
            message = render("test", to, at=datetime.now(UTC), provider=carrier, link=link)
            message_id = provider.send(automatic(message), str(uuid4()))
        except MessageInvalid as error:
            raise stop(str(error)) from None
        except ProviderMisconfigured as error:
            raise stop(f"{error}\nNo message can be sent until that is put right.") from None
        except PermanentFailure as error:
            raise stop(f"{error}\nThe provider refuses this message; a job would fail at once.") from None
        except TemporaryFailure as error:
            raise stop(f"{error}\nThat may pass: a job would try again by itself.") from None
    typer.echo(f"Taken: {carrier}, from {message.sender}. Should you not find it: there it is known as {message_id}.")


@mail.command()
def suppressed() -> None:
    """List the addresses that get no more mail."""
    with plain_errors(), new_session() as session:
        for row in session.scalars(select(SuppressedAddress).order_by(SuppressedAddress.email)):
            typer.echo(f"{row.since:%Y-%m-%d}  {row.kind:<10}  {row.email}  {row.reason}".rstrip())


@mail.command()
def lift(email: Email) -> None:
    """Send mail to an address again."""
    with plain_errors(), engine().begin() as connection:
        lifted = delete(SuppressedAddress).where(SuppressedAddress.email == email.lower())
        if connection.execute(lifted).rowcount == 0:
            raise stop(f"{email} is not suppressed; `app mail suppressed` lists who is.")
    typer.echo(f"{email} gets mail again.")
