"""How the agent names a link in errors and logs. What is a link, ``contract.links`` says."""

from yarl import URL


def shown_link(link: str) -> str:
    """The link as an error or a log may show it: without query, fragment and credentials, which hold secrets.

    Of what is no URL only the scheme is shown, since nobody can tell where its secrets are.
    """
    try:
        return str(URL(link).with_user(None).with_query(None).with_fragment(None))
    except ValueError:
        return f"{link.partition('://')[0]}://…"
