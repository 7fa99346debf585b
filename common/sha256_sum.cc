#include "common/sha256_sum.h"

#include "common/check.h"
#include <openssl/evp.h>

namespace berth {

struct Sha256Sum::State {
  State() : context(EVP_MD_CTX_new()) {
    BERTH_CHECK(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
  EVP_MD_CTX* const context;
};

Sha256Sum::Sha256Sum() : state_(std::make_unique<State>()) {}
Sha256Sum::Sha256Sum(Sha256Sum&&) noexcept = default;
Sha256Sum& Sha256Sum::operator=(Sha256Sum&&) noexcept = default;
Sha256Sum::~Sha256Sum() = default;

void Sha256Sum::Add(absl::string_view piece) {
  BERTH_CHECK(EVP_DigestUpdate(state_->context, piece.data(), piece.size()) == 1);
}

std::string Sha256Sum::Finish() {
  std::string sum(kSha256Bytes, '\0');
  unsigned size = 0;
  BERTH_CHECK(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(sum.data()),
                                 &size) == 1 &&
              size == kSha256Bytes);
  return sum;
}

}  // namespace berth
