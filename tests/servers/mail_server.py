"""Exim, which wants a password and TLS before it takes a message, and keeps what it took."""

import grp
import os
import pwd
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

import trustme

from missing import Missing
from private_servers import Server, connect, free_port, installed, new_folder, unprivileged
from run_folder import RunFolder

__all__ = ["PASSWORD", "USER", "exim", "messages"]

USER, PASSWORD = "service", "pässwörd: with / and #"
CONFIGURATION = r"""
exim_user = {user}
exim_group = {group}
primary_hostname = mail.example.net
spool_directory = {folder}/spool
log_file_path = {folder}/log-%slog
pid_file_path = {folder}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
{tls_on_connect}
tls_certificate = {folder}/certificate
tls_privatekey = {folder}/key
tls_advertise_hosts = *
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}}}
never_users =
keep_environment =
acl_smtp_rcpt = known
acl_smtp_helo = named
begin acl
known:
  accept authenticated = *
  deny message = who are you?
named:
  deny condition = ${{if match {{$sender_helo_name}} {{^\\[|localhost}}}}
       message = say your name
  accept
begin routers
all:
  driver = accept
  transport = kept
begin transports
kept:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{ {{eq {{$auth2}}{{{name}}}}} {{eq {{$auth3}}{{{password}}}}} }}}}
  server_set_id = $auth2
"""


def exim(run: RunFolder, authority: trustme.CA, security: Literal["starttls", "tls"]) -> Server:
    """Its URL is smtp://host:port."""
    program, port, folder = installed("exim4", ["/usr/sbin"]), free_port(), new_folder(run)
    if os.getuid() != 0:
        raise Missing("Exim starts for root alone")
    user = pwd.getpwuid(unprivileged(folder))
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate")
    certificate.private_key_pem.write_to_path(folder / "key")
    os.chown(folder / "key", user.pw_uid, -1)
    text = CONFIGURATION.format(
        folder=folder,
        user=user.pw_name,
        group=grp.getgrgid(user.pw_gid).gr_name,
        port=port,
        tls_on_connect=f"tls_on_connect_ports = {port}" if security == "tls" else "",
        name=USER,
        password=PASSWORD,
    )
    (folder / "exim.conf").write_text(text)
    words: list[str | Path] = [program, "-bdf", "-C", folder / "exim.conf"]
    return Server(f"smtp://localhost:{port}", words, folder, folder, lambda: connect(port))


def messages(server: Server) -> list[EmailMessage]:
    """What it has taken, oldest first."""
    files = sorted((server.folder / "mail/new").glob("*"), key=lambda file: file.stat().st_mtime_ns)
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
