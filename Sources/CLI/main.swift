import Glibc
import Linux

openMissingStandardFiles()
exit(Program.run(CommandLine.argc, CommandLine.unsafeArgv).rawValue)
