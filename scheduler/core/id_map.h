#ifndef BERTH_SCHEDULER_CORE_ID_MAP_H_
#define BERTH_SCHEDULER_CORE_ID_MAP_H_

// Values by their id: gone through in the order of ids, and each found without a walk through the
// tree. A value; its parts stay where they are until they are erased.

#include <cstddef>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace berth {

template <typename Id, typename Value>
class IdMap {
 public:
  IdMap() = default;
  IdMap(const IdMap& other) : values_(other.values_) { Index(); }
  IdMap& operator=(const IdMap& other) {
    values_ = other.values_;
    Index();
    return *this;
  }
  IdMap(IdMap&&) = default;
  IdMap& operator=(IdMap&&) = default;
  ~IdMap() = default;

  const std::map<Id, Value>& values() const { return values_; }
  bool empty() const { return values_.empty(); }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }

  // Null if there is none.
  const Value* Find(Id id) const {
    const auto found = places_.find(id);
    return found == places_.end() ? nullptr : found->second;
  }
  // Requires: it is there.
  const Value& at(Id id) const { return *places_.at(id); }
  Value& at(Id id) { return *places_.at(id); }
  void reserve(size_t count) { places_.reserve(count); }
  // Replaces what was there. Fast for the newest id.
  Value& Put(Id id, Value value) {
    Value& place = values_.insert_or_assign(values_.end(), id, std::move(value))->second;
    places_[id] = &place;
    return place;
  }
  void erase(Id id) {
    places_.erase(id);
    values_.erase(id);
  }

 private:
  void Index() {
    places_.clear();
    places_.reserve(values_.size());
    for (auto& [id, value] : values_) {
      places_.emplace(id, &value);
    }
  }

  std::map<Id, Value> values_;
  absl::flat_hash_map<Id, Value*> places_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_ID_MAP_H_
