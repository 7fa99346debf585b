#ifndef BERTH_SCHEDULER_CORE_NODE_SET_H_
#define BERTH_SCHEDULER_CORE_NODE_SET_H_

// A set of nodes as a bitmap over their ids, which are small integers given out in order. Visited
// in the order of the ids.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/core/ids.h"

namespace berth {

// How many bits are set. std::popcount is a call into the compiler's library where the processor
// is not known to have an instruction for it.
inline int CountBits(uint64_t bits) {
  bits -= (bits >> 1) & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + ((bits >> 2) & 0x3333333333333333);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<int>((bits * 0x0101010101010101) >> 56);
}

class NodeSet {
 public:
  bool contains(NodeId id) const {
    const size_t word = id.value() / kBits;
    return word < words_.size() && (words_[word] & Bit(id)) != 0;
  }
  void insert(NodeId id) {
    const size_t word = id.value() / kBits;
    if (word >= words_.size()) {
      words_.resize(word + 1, 0);
    }
    first_ = size_ == 0 ? word : std::min(first_, word);
    size_ += (words_[word] & Bit(id)) == 0 ? 1 : 0;
    words_[word] |= Bit(id);
  }
  void erase(NodeId id) {
    if (contains(id)) {
      words_[id.value() / kBits] &= ~Bit(id);
      --size_;
    }
  }
  int size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void Unite(const NodeSet& other) {
    words_.resize(std::max(words_.size(), other.words_.size()), 0);
    for (size_t word = 0; word < other.words_.size(); ++word) {
      words_[word] |= other.words_[word];
    }
    Recount();
  }
  void Intersect(const NodeSet& other) {
    words_.resize(std::min(words_.size(), other.words_.size()));
    for (size_t word = 0; word < words_.size(); ++word) {
      words_[word] &= other.words_[word];
    }
    Recount();
  }
  void Subtract(const NodeSet& other) {
    for (size_t word = 0; word < std::min(words_.size(), other.words_.size()); ++word) {
      words_[word] &= ~other.words_[word];
    }
    Recount();
  }
  int CountCommon(const NodeSet& other) const {
    int count = 0;
    for (size_t word = std::max(first_, other.first_);
         word < std::min(words_.size(), other.words_.size()); ++word) {
      count += CountBits(words_[word] & other.words_[word]);
    }
    return count;
  }

  // Calls visit(NodeId) for every member that is also in `filter` (null: for every member), until
  // it returns false. Returns whether it never did.
  template <typename Visit>
  bool ForEach(const NodeSet* filter, Visit visit) const {
    if (empty()) {
      return true;
    }
    const size_t count =
        filter == nullptr ? words_.size() : std::min(words_.size(), filter->words_.size());
    const size_t first = filter == nullptr ? first_ : std::max(first_, filter->first_);
    for (size_t word = first; word < count; ++word) {
      uint64_t bits = filter == nullptr ? words_[word] : words_[word] & filter->words_[word];
      for (; bits != 0; bits &= bits - 1) {
        if (!visit(NodeId(word * kBits + static_cast<size_t>(std::countr_zero(bits))))) {
          return false;
        }
      }
    }
    return true;
  }

 private:
  static constexpr size_t kBits = 64;
  static uint64_t Bit(NodeId id) { return uint64_t{1} << (id.value() % kBits); }
  void Recount() {
    size_ = 0;
    first_ = 0;
    for (uint64_t word : words_) {
      size_ += CountBits(word);
    }
  }

  std::vector<uint64_t> words_;
  int size_ = 0;
  size_t first_ = 0;  // no member is in a word before
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_NODE_SET_H_
