#ifndef BERTH_COMMON_DESCRIPTOR_H_
#define BERTH_COMMON_DESCRIPTOR_H_

// An open file of this process, closed with its owner.

#include <cerrno>
#include <cstddef>
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

// Writes all of it, in as many steps as it takes. False: not all of it, and errno says why.
inline bool WriteWhole(int file, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(file, data, size);
    if (written == 0) {
      errno = ENOSPC;
    }
    if (written == 0 || (written < 0 && errno != EINTR)) {
      return false;
    }
    const size_t done = written < 0 ? 0 : static_cast<size_t>(written);
    data += done;
    size -= done;
  }
  return true;
}

}  // namespace berth

#endif  // BERTH_COMMON_DESCRIPTOR_H_
