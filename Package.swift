// swift-tools-version: 6.1
import PackageDescription

/// A release executable is one file that needs nothing at run time, and starts in the time that
/// `/bin/true` takes. Debug builds stay dynamic, because the test bundle links their objects.
let standalone: [LinkerSetting] = [
  .unsafeFlags(["-static-executable", "-use-ld=lld"], .when(configuration: .release))
]

/// The targets are the layers: each may use those before it in this list, and none after it. What it imports it must name,
/// or it isn't compiled anew when that changes.
let package = Package(
  name: "Nanospool",
  products: [
    .library(name: "Spool", targets: ["Spool"]),
    .library(name: "AgentRuntime", targets: ["AgentRuntime"]),
    .library(name: "Routing", targets: ["Routing", "CoordinatorPolicy"]),
    .library(name: "Coordinator", targets: ["Coordinator", "CoordinatorPolicy"]),
    .executable(name: "spool", targets: ["CLI"]),
    .executable(name: "spool-bench", targets: ["Bench"]),
  ],
  targets: [
    .systemLibrary(name: "CLinux"),
    .target(name: "Linux", dependencies: ["CLinux"]),
    .systemLibrary(name: "CChecksum"),
    .target(name: "SpoolFormat", dependencies: ["CChecksum"]),
    .target(name: "Spool", dependencies: ["Linux", "SpoolFormat"]),
    .target(name: "CoordinatorPolicy", dependencies: ["SpoolFormat"]),
    .target(name: "Routing", dependencies: ["CoordinatorPolicy", "Linux", "Spool", "SpoolFormat"]),
    .target(name: "AgentRuntime", dependencies: ["CoordinatorPolicy", "Linux", "Routing", "Spool", "SpoolFormat"]),
    .target(
      name: "Coordinator",
      dependencies: ["AgentRuntime", "CoordinatorPolicy", "Linux", "Routing", "Spool", "SpoolFormat"]),
    .executableTarget(
      name: "CLI",
      dependencies: ["AgentRuntime", "Coordinator", "CoordinatorPolicy", "Linux", "Routing", "Spool", "SpoolFormat"],
      linkerSettings: standalone),
    .executableTarget(
      name: "Bench", dependencies: ["Coordinator", "CoordinatorPolicy", "Linux", "Spool", "SpoolFormat"],
      linkerSettings: standalone),
    .target(name: "TestSupport", dependencies: ["CLinux", "Linux"], path: "Tests/TestSupport"),
    // Apart from the rest, because the processes below would load all of the testing library.
    .target(name: "TestThreads", path: "Tests/TestThreads"),
    // What tests do in a process of its own; they depend on it so that `swift test` builds it.
    .executableTarget(
      name: "TestProcess", dependencies: ["Linux", "Spool", "SpoolFormat", "TestSupport"], path: "Tests/TestProcess"),
    .testTarget(name: "LinuxTests", dependencies: ["Linux", "TestProcess", "TestSupport", "TestThreads"]),
    .testTarget(name: "SpoolFormatTests", dependencies: ["SpoolFormat", "TestProcess", "TestSupport"]),
    .testTarget(
      name: "SpoolTests", dependencies: ["Linux", "Spool", "SpoolFormat", "TestProcess", "TestSupport", "TestThreads"]),
    .testTarget(
      name: "CoordinatorTests",
      dependencies: ["Coordinator", "Linux", "Spool", "SpoolFormat", "TestSupport", "TestThreads"]),
    .testTarget(
      name: "RoutingTests", dependencies: ["Routing", "CoordinatorPolicy", "Spool", "SpoolFormat", "TestSupport"]),
    .testTarget(name: "CoordinatorPolicyTests", dependencies: ["CoordinatorPolicy", "SpoolFormat", "TestSupport"]),
    .testTarget(
      name: "AgentRuntimeTests",
      dependencies: ["AgentRuntime", "Linux", "Spool", "SpoolFormat", "TestSupport", "TestThreads"]),
    .testTarget(name: "CLITests", dependencies: ["CLI", "Spool", "SpoolFormat"]),
    // These run the executable, and depend on it so that `swift test` builds it.
    .testTarget(
      name: "ProcessTests", dependencies: ["CLI", "CLinux", "Spool", "SpoolFormat", "TestSupport", "TestThreads"],
      exclude: ["Recorded"]),
    .testTarget(name: "FaultTests", dependencies: ["CLI", "Spool", "SpoolFormat", "TestSupport", "TestThreads"]),
  ]
)
