"""One transaction's view of the store: the repositories over one connection."""

from functools import cached_property

from sqlalchemy import Connection

from supplier_api.store.backlog import Backlog
from supplier_api.store.changes import Changes
from supplier_api.store.clocks import Clocks
from supplier_api.store.decisions import Decisions
from supplier_api.store.events import Events
from supplier_api.store.faults import Faults
from supplier_api.store.incidents import Incidents
from supplier_api.store.journal import Journal
from supplier_api.store.lanes import Lanes
from supplier_api.store.letters import Letters
from supplier_api.store.operators import OperatorActions
from supplier_api.store.orphans import Orphans
from supplier_api.store.outstanding import Work
from supplier_api.store.pauses import Pauses
from supplier_api.store.problems import Problems
from supplier_api.store.processes import Processes
from supplier_api.store.resolutions import Resolutions
from supplier_api.store.scenarios import Scenarios
from supplier_api.store.services import Services
from supplier_api.store.signing_keys import SigningKeys
from supplier_api.store.stamps import Stamps
from supplier_api.store.standing import Standing
from supplier_api.store.switches import Switches
from supplier_api.store.tenant_settings import TenantSettings
from supplier_api.store.timers import Timers


class UnitOfWork:
    """The repositories of one transaction.

    Order of locks, everywhere: decision key, incidents, service, problems by id, lanes by id.
    """

    def __init__(self, connection: Connection, dialect: str) -> None:
        """Work on `connection`, which is in a transaction; `dialect` is sqlite or postgresql."""
        self.connection = connection
        self.dialect = dialect

    @property
    def news(self) -> bool:
        """Whether a worker has something to do once this transaction is committed."""
        used = self.__dict__
        return (
            ("lanes" in used and self.lanes.made_due)
            or ("letters" in used and self.letters.made_due)
            or ("timers" in used and self.timers.changed)
            or ("clocks" in used and self.clocks.changed)
            or ("switches" in used and self.switches.changed)
            or ("pauses" in used and self.pauses.changed)
        )

    @cached_property
    def decisions(self) -> Decisions:
        """What was asked and answered."""
        return Decisions(self.connection)

    @cached_property
    def problems(self) -> Problems:
        """Service problems."""
        return Problems(self.connection, self.dialect)

    @cached_property
    def services(self) -> Services:
        """What is known of services."""
        return Services(self.connection, self.dialect)

    @cached_property
    def changes(self) -> Changes:
        """Amendments and cancellations."""
        return Changes(self.connection)

    @cached_property
    def resolutions(self) -> Resolutions:
        """Resolutions and the tenant's answers to them."""
        return Resolutions(self.connection)

    @cached_property
    def lanes(self) -> Lanes:
        """Messages on their way out."""
        return Lanes(self.connection)

    @cached_property
    def backlog(self) -> Backlog:
        """Lanes with something to send, as a whole."""
        return Backlog(self.connection)

    @cached_property
    def pauses(self) -> Pauses:
        """Times in which messages do not leave."""
        return Pauses(self.connection)

    @cached_property
    def letters(self) -> Letters:
        """The same messages, in the hands of operators."""
        return Letters(self.connection)

    @cached_property
    def timers(self) -> Timers:
        """Things to do at a business time."""
        return Timers(self.connection)

    @cached_property
    def events(self) -> Events:
        """What the back office said."""
        return Events(self.connection)

    @cached_property
    def incidents(self) -> Incidents:
        """Network incidents."""
        return Incidents(self.connection, self.dialect)

    @cached_property
    def scenarios(self) -> Scenarios:
        """What is played where a tester has set it so."""
        return Scenarios(self.connection)

    @cached_property
    def faults(self) -> Faults:
        """What goes wrong on purpose where a tester has set it so."""
        return Faults(self.connection)

    @cached_property
    def clocks(self) -> Clocks:
        """Business time where testers have moved it."""
        return Clocks(self.connection)

    @cached_property
    def work(self) -> Work:
        """What is still to be done."""
        return Work(self.connection)

    @cached_property
    def tenant_settings(self) -> TenantSettings:
        """What testers set for a tenant."""
        return TenantSettings(self.connection)

    @cached_property
    def signing_keys(self) -> SigningKeys:
        """Keys of the built-in token issuer."""
        return SigningKeys(self.connection)

    @cached_property
    def actions(self) -> OperatorActions:
        """What people did by hand."""
        return OperatorActions(self.connection)

    @cached_property
    def switches(self) -> Switches:
        """What was switched on for the whole house."""
        return Switches(self.connection)

    @cached_property
    def processes(self) -> Processes:
        """The processes on this database."""
        return Processes(self.connection)

    @cached_property
    def stamps(self) -> Stamps:
        """Whose database this is."""
        return Stamps(self.connection)

    @cached_property
    def standing(self) -> Standing:
        """How it stands, in numbers."""
        return Standing(self.connection)

    @cached_property
    def orphans(self) -> Orphans:
        """What may have been lost sight of."""
        return Orphans(self.connection)

    @cached_property
    def journal(self) -> Journal:
        """The record of traffic that testers read."""
        return Journal(self.connection)
