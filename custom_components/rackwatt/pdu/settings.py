"""The settings of a PDU's entry, and the credentials that they are."""

from collections.abc import Mapping
from typing import Any

from homeassistant.const import CONF_USERNAME

from .const import (
    CONF_AUTH_KEY,
    CONF_AUTH_PROTOCOL,
    CONF_COMMUNITY,
    CONF_KEY_EXTENSION,
    CONF_PRIV_KEY,
    CONF_PRIV_PROTOCOL,
    CONF_VERSION,
)
from .credentials import AuthProtocol, Credentials, KeyExtension, PrivProtocol, Version

CREDENTIAL_KEYS = (
    CONF_VERSION,
    CONF_COMMUNITY,
    CONF_USERNAME,
    CONF_AUTH_PROTOCOL,
    CONF_AUTH_KEY,
    CONF_PRIV_PROTOCOL,
    CONF_PRIV_KEY,
    CONF_KEY_EXTENSION,
)


def credentials_of(data: Mapping[str, Any]) -> Credentials:
    """Return the credentials that stand in settings."""
    version = Version(data[CONF_VERSION])
    if version is not Version.V3:
        return Credentials(version=version, community=data[CONF_COMMUNITY])
    auth = AuthProtocol(data.get(CONF_AUTH_PROTOCOL, AuthProtocol.NONE))
    priv = PrivProtocol(data.get(CONF_PRIV_PROTOCOL, PrivProtocol.NONE))
    return Credentials(
        version=version,
        username=data[CONF_USERNAME],
        auth_protocol=auth,
        auth_key=data.get(CONF_AUTH_KEY, "") if auth is not AuthProtocol.NONE else "",
        priv_protocol=priv,
        priv_key=data.get(CONF_PRIV_KEY, "") if priv is not PrivProtocol.NONE else "",
        key_extension=KeyExtension(data.get(CONF_KEY_EXTENSION, KeyExtension.REEDER)),
    )


def settings_of(credentials: Credentials) -> dict[str, Any]:
    """Return credentials as they are stored."""
    if credentials.version is not Version.V3:
        return {
            CONF_VERSION: credentials.version.value,
            CONF_COMMUNITY: credentials.community,
        }
    return {
        CONF_VERSION: credentials.version.value,
        CONF_USERNAME: credentials.username,
        CONF_AUTH_PROTOCOL: credentials.auth_protocol.value,
        CONF_AUTH_KEY: credentials.auth_key,
        CONF_PRIV_PROTOCOL: credentials.priv_protocol.value,
        CONF_PRIV_KEY: credentials.priv_key,
        CONF_KEY_EXTENSION: credentials.key_extension.value,
    }
