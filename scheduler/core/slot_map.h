#ifndef BERTH_SCHEDULER_CORE_SLOT_MAP_H_
#define BERTH_SCHEDULER_CORE_SLOT_MAP_H_

// Values by small ids, which are given again when they are free: whoever keeps something for each
// of them has it in a vector. Iteration is in the order of the ids.

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace berth {

template <typename Id, typename Value>
class SlotMap {
 public:
  class Iterator {
   public:
    Iterator(const SlotMap& map, size_t slot) : map_(&map), slot_(slot) { SkipFree(); }
    std::pair<Id, const Value&> operator*() const { return {Id(slot_), *map_->slots_[slot_]}; }
    Iterator& operator++() {
      ++slot_;
      SkipFree();
      return *this;
    }
    friend bool operator!=(const Iterator& a, const Iterator& b) { return a.slot_ != b.slot_; }

   private:
    void SkipFree() {
      while (slot_ < map_->slots_.size() && !map_->slots_[slot_].has_value()) {
        ++slot_;
      }
    }
    const SlotMap* map_;
    size_t slot_;
  };

  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, slots_.size()}; }
  bool empty() const { return size() == 0; }
  size_t size() const { return slots_.size() - 1 - free_.size(); }
  // Every id is less.
  size_t id_bound() const { return slots_.size(); }
  bool contains(Id id) const {
    return id.value() < slots_.size() && slots_[id.value()].has_value();
  }
  // Requires: it is there. Valid until the next Add().
  const Value& at(Id id) const { return slots_.at(id.value()).value(); }
  Value& at(Id id) { return slots_.at(id.value()).value(); }

  Id Add(Value value) {
    if (free_.empty()) {
      slots_.emplace_back(std::move(value));
      return Id(slots_.size() - 1);
    }
    const Id id = free_.back();
    free_.pop_back();
    slots_[id.value()] = std::move(value);
    return id;
  }
  // Requires: it is there.
  void erase(Id id) {
    slots_.at(id.value()).reset();
    free_.push_back(id);
  }

 private:
  std::vector<std::optional<Value>> slots_ = std::vector<std::optional<Value>>(1);  // 0 is no id
  std::vector<Id> free_;
};

}  // namespace berth

#endif  // BERTH_SCHEDULER_CORE_SLOT_MAP_H_
