import Linux

/// A process that there is not, with a number beyond all that are given: whatever it holds is held by nobody.
public enum DeadProcess {
  public static let pid = 999_999_999
  /// As of the PID namespace that the tests run in, which may be a container's: of others nobody says that they are gone.
  public static let start: UInt64 = ProcessIdentity.current().started & ~0xffff_ffff | 1

  /// Its name as a holder.
  public static func holder(on host: String) -> String { "\(host).\(pid).\(String(start, radix: 16))" }
}
