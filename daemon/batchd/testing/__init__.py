"""For tests: of plugins (`conformance`, `outbox`) and of batchd itself (`household`, `fakes`). Shipped, never imported.

Importing this brings in none of them: a plugin's tests need the conformance kit and no daemon.
"""
