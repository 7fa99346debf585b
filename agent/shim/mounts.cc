#include "agent/shim/mounts.h"

#include <fcntl.h>

namespace berth {

bool SetMountAttributes(const char* path, uint64_t set, unsigned int flags, uint64_t clear) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear & ~set;
  return mount_setattr(AT_FDCWD, path, flags, &attributes, sizeof(attributes)) == 0;
}

bool Bind(const char* source, const char* target) {
  return mount(source, target, nullptr, MS_BIND, nullptr) == 0 &&
         SetMountAttributes(target, kHarmless, 0);
}

}  // namespace berth
