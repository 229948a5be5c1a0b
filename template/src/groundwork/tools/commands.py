"""The commands of every service: `app dev`, `doctor`, `migrate`, `relay`, `health`, `jobs`, `mail`, `template`."""

from groundwork.tools.lazy_commands import Commands

__all__ = ["cli"]

cli = Commands(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cli.add_lazy(
    "dev",
    "groundwork.tools.service_commands:dev",
    "Run everything in this terminal, with nothing installed; start again on change.",
)
cli.add_lazy(
    "doctor",
    "groundwork.tools.service_commands:doctor",
    "Tell what is configured, what answers, what is missing, and the remedy.",
)
cli.add_lazy("migrate", "groundwork.tools.service_commands:migrate", "Bring the database's tables up to date.")
cli.add_lazy(
    "relay",
    "groundwork.tools.relay_command:relay",
    "Publish due jobs until SIGTERM or Ctrl-C; any number of relays may run.",
)
cli.add_lazy(
    "health",
    "groundwork.tools.health_command:health",
    "Exit code 1 when this machine's worker does not answer, no relay looks, or jobs do not move.",
)
cli.add_lazy("jobs", "groundwork.tools.job_commands:jobs", "See, cancel and run again the jobs of all users.")
cli.add_lazy("mail", "groundwork.tools.mail_commands:mail", "Try the mail provider, and see who gets no more mail.")
cli.add_lazy("template", "groundwork.tools.template:template", "Keep up with the template that made this service.")
