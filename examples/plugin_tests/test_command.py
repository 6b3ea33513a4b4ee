from command import CommandExecutor, CommandSettings

from batchd.testing.conformance import ExecutorConformance


class TestCommand(ExecutorConformance):
    tasks_at_a_time = 6  # each of them starts a process

    def make(self) -> CommandExecutor:
        executor = CommandExecutor(CommandSettings(command=["nice", "-n", "19"]))
        executor.number = 2
        return executor
