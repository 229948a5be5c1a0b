"""What the role of the service may not do in its database, and the statement that lets it."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from groundwork.data.tables import Base

__all__ = ["Lack", "lack"]

SCHEMA = text(
    """
    SELECT current_user, current_schema(), current_setting('search_path'),
    has_schema_privilege(current_schema(), 'CREATE')
    """
)
EXISTS = text("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = :name)")
# A table that is not there yet lacks nothing; identity columns need no right to their sequence, serial ones do.
REFUSED = text(
    """
    SELECT name || ' (' || string_agg(privilege, ', ') || ')' FROM unnest(CAST(:tables AS text[])) AS name,
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE NOT has_table_privilege(to_regclass(quote_ident(name)), privilege)
    AND (name <> 'alembic_version' OR privilege = 'SELECT') GROUP BY name
    UNION ALL
    SELECT sequence.relname || ' (USAGE)' FROM unnest(CAST(:tables AS text[])) AS name
    JOIN pg_depend ON refobjid = to_regclass(quote_ident(name)) AND deptype = 'a' AND classid = 'pg_class'::regclass
    JOIN pg_class AS sequence ON sequence.oid = objid
    WHERE CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege(objid, 'USAGE') END ORDER BY 1
    """
)


@dataclass(frozen=True)
class Lack:
    says: str
    # For whoever owns the schema or the tables.
    remedy: str


def lack(connection: Connection, *, creating: bool) -> Lack | None:
    """The first that is found. `creating`: what a migration needs, too."""
    role, schema, path, creates = connection.execute(SCHEMA).one()
    quoted = connection.dialect.identifier_preparer.quote
    if schema is None:
        # The first that is named: PostgreSQL leaves out those that are not there, or that the role may not use.
        named = [part.strip(' "') for part in path.split(",")]
        wanted = next((part for part in named if part not in {"", "$user"}), "public")
        if not connection.scalar(EXISTS, {"name": wanted}):
            says = f"search_path = {path}, and there is no schema {wanted}"
            return Lack(says, f"CREATE SCHEMA {quoted(wanted)} AUTHORIZATION {quoted(role)}")
        says = f"the role {role} may not use the schema {wanted}"
        return Lack(says, f"GRANT USAGE, CREATE ON SCHEMA {quoted(wanted)} TO {quoted(role)}")
    if creating and not creates:
        says = f"the role {role} may not create tables in the schema {schema}"
        return Lack(says, f"GRANT CREATE ON SCHEMA {quoted(schema)} TO {quoted(role)}")
    tables = [*(table.name for table in Base.metadata.tables.values()), "alembic_version"]
    if refused := connection.scalars(REFUSED, {"tables": tables}).all():
        what = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"
        if all(each.endswith("(USAGE)") for each in refused):
            what = "USAGE ON ALL SEQUENCES"
        remedy = f"GRANT {what} IN SCHEMA {quoted(schema)} TO {quoted(role)}"
        return Lack(f"the role {role} may not use {', '.join(refused)}", remedy)
    return None
