#ifndef BERTH_CLIENT_ARCHIVE_HEADER_H_
#define BERTH_CLIENT_ARCHIVE_HEADER_H_

// One header block of a tar stream: POSIX.1-1988 ustar, and GNU's base-256 for large numbers.

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace berth {

inline constexpr size_t kArchiveBlock = 512;

inline constexpr char kArchiveFile = '0';
inline constexpr char kArchiveLink = '2';  // symbolic
inline constexpr char kArchiveFolder = '5';
inline constexpr char kArchiveLongName = 'L';  // GNU: the next entry's name is this one's data
inline constexpr char kArchiveLongLink = 'K';  // GNU: the same of its link

struct ArchiveHeader {
  std::string name;
  std::string link;
  int64_t size = 0;
  int64_t modified_s = 0;
  int mode = 0;
  char type = kArchiveFile;
};

// Requires: name and link have at most 100 bytes.
std::string EncodeArchiveHeader(const ArchiveHeader& header);
// None: it is no header, or its sum is wrong.
std::optional<ArchiveHeader> DecodeArchiveHeader(absl::string_view block);

}  // namespace berth

#endif  // BERTH_CLIENT_ARCHIVE_HEADER_H_
