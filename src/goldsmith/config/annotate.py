"""The annotation room: where its votes are, who gets which pair, and how people are checked."""

from __future__ import annotations

from pydantic import Field, field_validator

from goldsmith.config.base import Section
from goldsmith.config.tools import ToolsConfig


class OidcConfig(Section):
    """Sign-in through an OpenID Connect provider."""

    name: str = "single sign-on"
    """What the button says."""
    issuer: str = ""
    """Address of the provider (`https://id.example.org`); empty: passwords only."""
    client_id: str = ""
    """Id of this application at the provider."""
    client_secret_env: str = "GOLDSMITH_OIDC_SECRET"
    """Name of the environment variable that holds the client's secret."""


class LabelStudioConfig(Section):
    """The Label Studio server that `goldsmith votes sync` exchanges pairs and votes with."""

    url: str = ""
    """Address of the server (`https://label.example.org`); empty: given on the command line."""
    project: int | None = Field(default=None, ge=1)
    """Id of the project; none: the project of the title below, which is made when there is none."""
    title: str = ""
    """Title of that project; empty: made from the workspace's name."""
    token_env: str = "LABEL_STUDIO_TOKEN"
    """Name of the environment variable that holds a personal access token (or a legacy token)."""


class AnnotateConfig(Section):
    """The web room in which people vote."""

    database: str = ""
    """SQLAlchemy URL of a PostgreSQL database, `$NAME` standing for an environment variable; empty: `annotation.db` in the workspace (SQLite)."""
    host: str = "127.0.0.1"
    """Address the server listens on; other machines reach it through a TLS proxy in front."""
    port: int = Field(default=8600, ge=0, le=65535)
    """Port; 0: a free one."""
    public_url: str = ""
    """Address people use (`https://votes.example.org`), for invitations and sign-in; empty: made from host and port."""
    trusted_proxies: list[str] = Field(default_factory=list)
    """Addresses of proxies whose `X-Forwarded-For` is believed."""
    secure_cookies: bool = True
    """Cookies are sent over TLS only (browsers make an exception for 127.0.0.1 and localhost)."""
    session_hours: float = Field(default=12.0, gt=0)
    """A sign-in ends after so many hours without a request."""
    sign_ins_per_quarter: int = Field(default=10, ge=1)
    """Failed sign-ins within 15 minutes, for each address and each account, after which one has to wait."""
    lease_minutes: float = Field(default=30.0, gt=0)
    """A pair that was handed out and not voted on goes to somebody else after so many minutes; saving a draft starts them anew."""
    undo_minutes: float = Field(default=10.0, ge=0)
    """A vote can be taken back for so long, unless an expert or a retest has built on it."""
    daily_limit: int | None = Field(default=None, ge=1)
    """Votes of one person a day (UTC), unless set for the person; none: no limit."""
    quotas: dict[str, float] = Field(default_factory=dict)
    """Largest share of a task category (`math`, or a leaf such as `math/proof`) in any beginning of a batch's queue; what is above comes later."""
    expertise: dict[str, str] = Field(default_factory=dict)
    """Tag that people need for a task category: `math = "math"` hands math pairs to those tagged so, and to nobody else."""
    qualification_items: int = Field(default=10, ge=0)
    """Pairs with a known answer that a new annotator votes on first (as many as there are); 0: nobody is tested."""
    qualification_accuracy: float = Field(default=0.7, ge=0.0, le=1.0)
    """Share of these that must be right."""
    check_rate: float = Field(default=0.03, ge=0.0, le=0.5)
    """Share of pairs with a known answer among an annotator's ordinary pairs, which look the same."""
    show_hints: bool = True
    """Show what models said of each reply (pre-verification) once a choice has been made."""
    currency: str = "EUR"
    """Unit of people's hourly costs."""
    oidc: OidcConfig = OidcConfig()
    label_studio: LabelStudioConfig = LabelStudioConfig()
    tools: ToolsConfig = ToolsConfig()

    @field_validator("quotas")
    @classmethod
    def _shares(cls, quotas: dict[str, float]) -> dict[str, float]:
        for name, share in quotas.items():
            if not 0 < share <= 1:
                raise ValueError(f"annotate.quotas.{name} = {share}; a share above 0 and at most 1 is expected")
        return quotas
