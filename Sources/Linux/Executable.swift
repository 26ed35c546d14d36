import Glibc

/// Programs, as execvp(3) finds them.
public enum Executable {
  /// The path of the file that `name` would run: itself when it has a slash in it, else the first along PATH.
  /// - Throws: ENOENT, EACCES (not executable), EISDIR. C: access(2).
  public static func locate(_ name: String) throws(SystemCallError) -> String {
    if name.contains("/") {
      try check(name)
      return name
    }
    let path = getenv("PATH").map { String(cString: $0) } ?? "/bin:/usr/bin"
    var refusal = SystemCallError("execvp", name, ENOENT)
    for directory in path.split(separator: ":", omittingEmptySubsequences: false) where !name.isEmpty {
      let candidate = directory.isEmpty ? name : "\(directory)/\(name)"
      do throws(SystemCallError) {
        try check(candidate)
        return candidate
      } catch {
        if error.code != ENOENT, error.code != ENOTDIR { refusal = error }
      }
    }
    throw refusal
  }

  private static func check(_ path: String) throws(SystemCallError) {
    _ = try systemCall("access", path) { access(path, X_OK) }
    var status = stat()
    _ = try systemCall("stat", path) { stat(path, &status) }
    if status.st_mode & S_IFMT == S_IFDIR { throw SystemCallError("execvp", path, EISDIR) }
  }

  /// The path from the root, without links and dots. C: realpath(3).
  public static func absolutePath(of path: String) throws(SystemCallError) -> String {
    guard let resolved = realpath(path, nil) else { throw SystemCallError("realpath", path, errno) }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

/// How many descriptors this process may have open. C: sysconf(3), _SC_OPEN_MAX.
public func openFilesMax() -> Int { max(0, sysconf(CInt(_SC_OPEN_MAX))) }

/// Up to how many bytes this process may write into a file. C: getrlimit(2), RLIMIT_FSIZE.
public func fileSizeMax() -> Int {
  var limit = rlimit()
  guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return .max }
  return Int(clamping: limit.rlim_cur)
}

/// Opens `/dev/null` in the place of standard input, output and error where they are closed: the next file that is opened
/// would get their number, and what is meant for a person would be written into it. For reading only, so that writing there
/// fails, as it should: nobody sees it. C: fcntl(2), open(2).
public func openMissingStandardFiles() {
  for number: CInt in 0...2 where fcntl(number, F_GETFD) == -1 { _ = open("/dev/null", O_RDONLY) }
}
