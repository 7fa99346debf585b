#ifndef BERTH_COMMON_DESCRIPTOR_H_
#define BERTH_COMMON_DESCRIPTOR_H_

// An open file of this process, closed with its owner.

#include <utility>

#include <unistd.h>

namespace berth {

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { Close(); }
  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void Close() {
    if (number_ >= 0) {
      close(std::exchange(number_, -1));
    }
  }

 private:
  int number_;
};

}  // namespace berth

#endif  // BERTH_COMMON_DESCRIPTOR_H_
