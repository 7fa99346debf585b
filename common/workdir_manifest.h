#ifndef BERTH_COMMON_WORKDIR_MANIFEST_H_
#define BERTH_COMMON_WORKDIR_MANIFEST_H_

// What may be in an uploaded folder. The same rules on all sides: the client finds mistakes, the
// scheduler believes no client, and a node believes nobody.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "proto/workdir.pb.h"

namespace berth {

// How many names a path in it may have.
inline constexpr size_t kWorkdirDepthMax = 100;

// The latest time that a file can have been modified at, seconds since 1970: the end of the year
// 9999. Some file systems know no later one, and what is read as such a date is a mistake.
inline constexpr int64_t kModifiedMax = 253'402'300'799;

struct WorkdirLimits {
  int64_t size_max = int64_t{2} << 30;  // bytes of all files together, equal ones counted each
  int entries_max = 50'000;
};

// What no manifest exceeds, whatever the scheduler's configuration allows.
inline constexpr WorkdirLimits kWorkdirLimitsMost = {.size_max = int64_t{1} << 40,
                                                     .entries_max = 200'000};
inline constexpr int64_t kManifestBytesMax = 32 << 20;
// Contents and manifests travel in pieces of this size, and never in larger ones than the second.
inline constexpr int64_t kWorkdirPieceBytes = 256 << 10;
inline constexpr size_t kWorkdirPieceBytesMax = 1 << 20;

// Names are below the folder: without "..", empty parts, zero bytes, and not too long; every parent
// is a folder of the manifest; links lead to somewhere inside, also through other links; nothing is
// there twice; the sum of sizes and the number of entries are within `limits`. Else InvalidArgument
// that names the first entry that is not so.
absl::Status CheckManifest(const v1::WorkdirManifest& manifest, const WorkdirLimits& limits);

// Checked as above. What is no manifest takes no more memory than one within the limits.
absl::StatusOr<v1::WorkdirManifest> ReadManifest(absl::string_view bytes,
                                                 const WorkdirLimits& limits);

// For each content the first entry that has it, by index, ascending.
std::vector<int> DistinctContents(const v1::WorkdirManifest& manifest);

}  // namespace berth

#endif  // BERTH_COMMON_WORKDIR_MANIFEST_H_
