#ifndef BERTH_AGENT_EXECUTOR_KEPT_CONTENTS_H_
#define BERTH_AGENT_EXECUTOR_KEPT_CONTENTS_H_

// Contents of files in folders that this node has kept (WorkdirCache), so that of a folder in which
// little has changed only that little comes over the network. Nothing of it is believed: who takes
// a content from here compares its SHA-256.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "common/descriptor.h"

namespace berth {

// One thread.
class KeptContents {
 public:
  // So many are named to the scheduler at most, 32 bytes each: the largest ones.
  static constexpr size_t kNamesMax = 16384;

  KeptContents() = default;
  // Of these folders, as the cache keeps them. What cannot be read there is left out.
  explicit KeptContents(std::vector<Descriptor> folders);

  bool empty() const { return places_.empty(); }
  // The SHA-256 of each.
  std::vector<std::string> Names() const;
  bool Has(absl::string_view sha256) const { return places_.contains(sha256); }
  // Hands it to `take`, in pieces, until that fails. DataLoss: it cannot be read. Requires: Has.
  absl::Status Read(absl::string_view sha256,
                    const std::function<absl::Status(absl::string_view)>& take) const;

 private:
  struct Place {
    size_t folder = 0;
    int64_t offset = 0;
    int64_t size = 0;
  };
  void AddFolder(size_t folder);
  void DropSmallest();

  std::vector<Descriptor> folders_;
  std::map<std::string, Place, std::less<>> places_;  // by SHA-256
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_KEPT_CONTENTS_H_
