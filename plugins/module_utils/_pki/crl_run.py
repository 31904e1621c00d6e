# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that signs the CRLs of all issuers where that is needed, with one login, and keeps their files right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Callable

from ansible_collections.privatespace.gateway.plugins.module_utils._core.change import Change
from ansible_collections.privatespace.gateway.plugins.module_utils._core.errors import CollectionError, StateError
from ansible_collections.privatespace.gateway.plugins.module_utils._pki import crl_plan
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_chain import (
    ChainCrl,
    read_chain_crls,
    warnings_of,
)
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_files import CrlFiles, Shelf, der_path_of
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_pem import pem_pieces
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_plan import Step
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_publication import Publication, public_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.crl_signing import CrlSigner, FreshCrl
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.issuance import load_der
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.ports import Book, IssuerBook, Tools
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.revocation_list import Piece
from ansible_collections.privatespace.gateway.plugins.module_utils._pki.succession import trust_chain

PUBLIC_MODE = 0o644
WRITERS = 2


@dataclass(frozen=True)
class CrlRun:
    """Keep the CRLs of all trusted authorities fresh and in their files.

    :param options: Those of ``pki_crl``.
    :param warn: Told what an administrator has to know.
    """

    options: Mapping[str, Any]
    book: Book
    tools: Tools
    files: CrlFiles
    warn: Callable[[str], None] = lambda _sentence: None

    def decide(self) -> Change[Step]:
        """Compare the files with the store; nothing is written."""
        if not self._issuers:
            steps = (Step(crl_plan.SIGN, ""),)
            after = {"number": "the next", "reasons": [crl_plan.FIRST]}
            return Change({"number": None}, after, steps, self._result({}, steps))
        for sentence in warnings_of(self._chain_crls, now=self.tools.clock()):
            self.warn(sentence)
        found = [self._found(issuer) for issuer in self._issuers]
        bundle = self._found_bundle(found)
        change = crl_plan.plan_crls(
            found,
            bundle=bundle,
            copies=self._public.found([*(issuer.file for issuer in found), bundle]) if self._public else (),
            leftovers=[str(path) for path in self._leftovers()],
            now=self.tools.clock(),
            mode=PUBLIC_MODE,
            force=self.options["force"],
        )
        return replace(change, result=self._result({}, change.steps))

    def apply(self, change: Change[Step]) -> Mapping[str, Any]:
        """Sign, verify and store where that is needed, then replace the files that are not right.

        One issuer that cannot sign keeps none of the others from it: what they signed is published before the error.
        """
        signs = {step.subject: step for step in change.steps if step.action == crl_plan.SIGN}
        fresh, failures = self._sign(signs) if signs else ({}, [])
        written = {step.subject for step in change.steps if step.action == crl_plan.WRITE}
        if fresh or not failures:
            self._publish(fresh, written)
            for step in change.steps:
                if step.action == crl_plan.REMOVE:
                    self.files.remove(Path(step.subject))
        if failures:
            raise failures[0]
        return self._result(fresh, change.steps, signed=True)

    def _sign(self, signs: Mapping[str, Step]) -> tuple[dict[str, FreshCrl], list[CollectionError]]:
        """Sign for the issuers that need it; the token is closed before anything is published."""
        fresh: dict[str, FreshCrl] = {}
        failures: list[CollectionError] = []
        if not self._issuers:
            raise StateError("The store has no authority yet.", remedy="Set it up first (pki_authority).")
        with self.tools.open_keys() as keys:
            for issuer in self._issuers:
                label = issuer.authority.label
                if label not in signs:
                    continue
                last = self._last(issuer) if signs[label].is_splice else None
                try:
                    fresh[label] = CrlSigner(issuer, last, self.warn).sign(keys, now=self.tools.clock())
                except CollectionError as error:
                    failures.append(error)
        return fresh, failures

    def _publish(self, fresh: Mapping[str, FreshCrl], written: set[str]) -> None:
        """Write the files that are not right; an issuer that has no CRL at all, since it could not sign, has none."""
        pieces: dict[Path, Iterable[Piece]] = {self._path(label): parts for label, parts in self._parts(fresh)}
        pieces[self._bundle] = self._pem(fresh)
        with ThreadPoolExecutor(max_workers=WRITERS) as pool:
            # One file goes to the disk while the other is encoded; the store is not asked from here on.
            writing = [
                pool.submit(self.files.write, path, content, mode=PUBLIC_MODE)
                for path, content in pieces.items()
                if str(path) in written
            ]
        for each in writing:
            each.result()
        if self._public:
            self._public.write(written, good=pieces.keys(), mode=PUBLIC_MODE)

    def _parts(self, fresh: Mapping[str, FreshCrl]) -> Iterator[tuple[str, Sequence[Piece]]]:
        """The label of every issuer that has a CRL, and the DER of its newest."""
        for issuer in self._issuers:
            label, last = issuer.authority.label, None
            if label not in fresh:
                last = self._last(issuer)
            parts: Sequence[Piece] = fresh[label].parts if label in fresh else [last] if last else []
            if parts:
                yield label, parts

    def _pem(self, fresh: Mapping[str, FreshCrl]) -> Iterator[bytes]:
        """The content of the bundle: the oldest issuer's CRL first, those of the authorities above at the end.

        In that order nothing moves when one issuer takes over from another, and no gateway gets a file for nothing.
        """
        ages = [authority.label for authority in self.book.trusted()]
        by_age = sorted(self._parts(fresh), key=lambda each: ages.index(each[0]))
        ours = (pem_pieces(parts) for _label, parts in by_age)
        above = (pem_pieces((crl.der,)) for crl in self._chain_crls)
        return chain.from_iterable(chain(ours, above))

    @cached_property
    def _issuers(self) -> tuple[IssuerBook, ...]:
        return tuple(self.book.issuers())

    @cached_property
    def _chain_crls(self) -> tuple[ChainCrl, ...]:
        return read_chain_crls(issuer.authority.chain_crls for issuer in self._issuers)

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self.files, self._bundle)

    @property
    def _bundle(self) -> Path:
        return Path(self.options["crl_path"])

    @cached_property
    def _public(self) -> Publication | None:
        """The folder for everybody, where there is to be one."""
        folder, labels = self.options.get("public_folder"), [issuer.authority.label for issuer in self._issuers]
        if not folder:
            return None
        active = public_der(Path(folder))
        sources = {self._path(label, active): self._path(label) for label in labels}
        certificates = trust_chain(self.book.trusted()).encode("ascii")
        return Publication(Path(folder), self.files, self._shelf, certificates, sources, self._bundle)

    def _path(self, label: str, active: Path | None = None) -> Path:
        """Where the DER of an issuer lies.

        :param active: Where that of the active one lies; by default not the copy for everybody.
        """
        active = active or Path(self.options["crl_der_path"])
        return active if label == self._issuers[0].authority.label else der_path_of(label, active)

    def _paths(self) -> list[Path]:
        """The files that hold the DER of an issuer, and their copies."""
        own = [self._path(issuer.authority.label) for issuer in self._issuers]
        return [*own, *self._public.sources] if self._public else own

    def _leftovers(self) -> list[Path]:
        """Files of authorities that have retired, or whose CRL lies elsewhere now that they are the active one."""
        paths, active = self._paths(), [Path(self.options["crl_der_path"])]
        active += [public_der(self._public.folder)] if self._public else []
        beside = (der_path_of(label, one) for one in active for label in self.book.labels())
        return [path for path in beside if path not in paths and self.files.mode(path) is not None]

    def _last(self, issuer: IssuerBook) -> Any:
        """The DER of the CRL that an issuer signed last, where a file holds it; its own is looked at first."""
        last, own = issuer.last_crl(), self._path(issuer.authority.label)
        paths = sorted(self._paths(), key=lambda path: path != own)
        return self._shelf.find(last.sha256 if last else "", paths)

    def _found(self, issuer: IssuerBook) -> crl_plan.FoundIssuer:
        last, path = issuer.last_crl(), self._path(issuer.authority.label)
        is_current = last is not None and self._shelf.digest(path) == last.sha256
        if not is_current or (self._public and not self._public.agrees(path)):
            self._refuse_older_store(issuer)
        return crl_plan.FoundIssuer(
            label=issuer.authority.label,
            last=last,
            unpublished=issuer.count_unpublished(),
            is_held=self._last(issuer) is not None,
            renewal_days=self._renewal_days(issuer),
            file=crl_plan.FoundFile(str(path), is_current, self.files.mode(path)),
        )

    def _found_bundle(self, issuers: Sequence[crl_plan.FoundIssuer]) -> crl_plan.FoundFile:
        """The state of the bundle, which nobody has to look at where a CRL in it is going to be replaced."""
        now, force = self.tools.clock(), self.options["force"]
        replaced = any(crl_plan.reasons_to_sign(issuer, now=now, force=force) for issuer in issuers)
        is_current = None if replaced else self._shelf.is_bundle(self._pem({}))
        return crl_plan.FoundFile(str(self._bundle), is_current, self.files.mode(self._bundle))

    def _refuse_older_store(self, issuer: IssuerBook) -> None:
        """Go no further with a store that knows less than a CRL which it signed: it was brought back from a backup.

        :raises StateError: naming the file.
        """
        latest = issuer.last_number()
        known = latest.number if latest else 0
        found = self._shelf.higher(load_der(issuer.authority.certificate), known, self._paths())
        if found:
            crl_plan.require_newest(latest, number=found[1], path=str(found[0]))

    def _renewal_days(self, issuer: IssuerBook) -> int:
        days, validity = self.options["renewal_days"], issuer.authority.crl_validity_days
        if days is None:
            return validity // 2
        crl_plan.check_renewal(days, validity_days=validity)
        return int(days)

    def _result(
        self, fresh: Mapping[str, FreshCrl], steps: Sequence[Step], *, signed: bool = False
    ) -> Mapping[str, Any]:
        """What is returned, before and after ``apply``."""
        due = {step.subject for step in steps if step.action == crl_plan.SIGN}
        ours = [self._published(issuer, fresh.get(issuer.authority.label), due) for issuer in self._issuers]
        above = [crl_plan.Published(crl.facts.issuer, crl.facts.next_update) for crl in self._chain_crls]
        result = crl_plan.run_result([*ours, *above])
        if not self.options["return_content"]:
            return result
        is_known = signed or not due
        return {**result, "crl": b"".join(self._pem(fresh)).decode("ascii") if is_known else ""}

    def _published(self, issuer: IssuerBook, fresh: FreshCrl | None, due: set[str]) -> crl_plan.Published:
        last, label = issuer.last_crl(), issuer.authority.label
        crl: crl_plan.CrlIdentity | None = fresh.dates if fresh else last
        entries = fresh.entries if fresh else last.entries if last else None
        facts = {
            "key_label": label,
            **crl_plan.crl_result(crl, entries=entries),
            "signed": label in due,
            "der_path": str(self._path(label)),
        }
        name = load_der(issuer.authority.certificate).subject.rfc4514_string()
        return crl_plan.Published(name, crl.next_update if crl else None, facts)
