"""For tests: of plugins (`conformance`, `outbox`) and of batchd itself (`household`, `fakes`). The daemon imports none.

Importing this package imports none of them: a plugin's tests need the conformance kit and no daemon.
"""
