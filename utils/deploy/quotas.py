"""Quotas of the account in its region, by their codes."""

from utils.deploy.account import CLIENT, Account


def quota(account: Account, service: str, code: str) -> float:
    """The value that is applied; AWS's default where none is. Raises ClientError when it may not be looked up."""
    client = account.session.client("service-quotas", config=CLIENT)
    try:
        found = client.get_service_quota(ServiceCode=service, QuotaCode=code)
    except client.exceptions.NoSuchResourceException:
        found = client.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
    return float(found["Quota"]["Value"])


def increase(account: Account, service: str, code: str, value: float) -> str:
    """The command that asks AWS for more."""
    return (
        f"aws service-quotas request-service-quota-increase --region {account.region} --service-code {service} "
        f"--quota-code {code} --desired-value {value:g}"
    )
