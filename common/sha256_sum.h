#ifndef BERTH_COMMON_SHA256_SUM_H_
#define BERTH_COMMON_SHA256_SUM_H_

// The SHA-256 of what comes in pieces.

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace berth {

inline constexpr size_t kSha256Bytes = 32;

// One thread at a time.
class Sha256Sum {
 public:
  Sha256Sum();
  Sha256Sum(Sha256Sum&&) noexcept;
  Sha256Sum& operator=(Sha256Sum&&) noexcept;
  ~Sha256Sum();

  void Add(absl::string_view piece);
  // Of all that was added: 32 raw bytes. The last call.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace berth

#endif  // BERTH_COMMON_SHA256_SUM_H_
