import Glibc
import Linux

openMissingStandardFiles()
SignalPipe.ignoreFileSizeLimit()
exit(Program.run(CommandLine.argc, CommandLine.unsafeArgv).rawValue)
