import Testing
@testable import SpoolFormat
