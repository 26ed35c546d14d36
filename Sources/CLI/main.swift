import Glibc
import Linux

openMissingStandardFiles()
exit(Program.run(Array(CommandLine.arguments.dropFirst())).rawValue)
