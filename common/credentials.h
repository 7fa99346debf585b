#ifndef BERTH_COMMON_CREDENTIALS_H_
#define BERTH_COMMON_CREDENTIALS_H_

// Bearer tokens: "brth_<id>_<secret>_<crc>". The scheduler stores id and SHA-256(secret); the whole
// token exists only where it was shown and in its owner's file.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace berth {

// A string that must not reach a log: it has no stream or format operator.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& Reveal() const { return value_; }

 private:
  std::string value_;
};

struct BearerToken {
  std::string id;  // 12 characters of base62
  Secret secret;   // 43 characters of base62: 32 random bytes
};

// From the kernel's random source.
BearerToken NewBearerToken();
// The id of what has a number: "J" and that.
std::string NumberedTokenId(uint64_t number);
// One whose secret part follows from the key, its id and the facts (HMAC-SHA512): whoever lacks the
// key cannot make it, and nobody has to keep it.
BearerToken DeriveBearerToken(const Secret& key, absl::string_view id, absl::string_view facts);
std::string FormatBearerToken(const BearerToken& token);
// Checks form and checksum only. The error never repeats the text.
absl::StatusOr<BearerToken> ParseBearerToken(absl::string_view text);

// SHA-256, 32 raw bytes.
std::string Sha256(absl::string_view text);
// Takes the same time whatever differs.
bool EqualInConstantTime(absl::string_view a, absl::string_view b);
// `bytes` random bytes as lower-case hexadecimal.
std::string RandomHex(int bytes);

// Reads a token from a file that only its owner may read (mode & 077 == 0), or says why not.
absl::StatusOr<Secret> ReadTokenFile(absl::string_view path);

}  // namespace berth

#endif  // BERTH_COMMON_CREDENTIALS_H_
