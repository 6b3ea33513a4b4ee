"""Modules for tests of plugins (`conformance`, `outbox`) and of batchd itself (`household`, `fakes`).

The daemon imports none of them. Nor does this package: a plugin's tests need the conformance kit but no daemon.
"""
