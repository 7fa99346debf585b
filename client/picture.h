#ifndef BERTH_CLIENT_PICTURE_H_
#define BERTH_CLIENT_PICTURE_H_

// What the pictures of `berth top` are put together from. Pure.

#include <string>
#include <vector>

#include "absl/time/time.h"

#include "client/output.h"

namespace berth {

struct PictureSize {
  int columns = 80;
  int rows = 0;  // 0: as many as there are
};

// "14:02:31"
std::string ClockText(absl::Time now);
// Adds an empty line and the table's: as many as fit below `lines`, the last saying how many more
// there are. A table without rows adds nothing.
void AddTable(const Listing& listing, const PictureSize& size, absl::Time now,
              std::vector<std::string>& lines);
// The same with at most `most` lines of the table, 0: with all.
void AddTable(const Listing& listing, const PictureSize& size, int most, absl::Time now,
              std::vector<std::string>& lines);
// Clean text, each line ended and none wider than the picture.
std::string JoinLines(const std::vector<std::string>& lines, const PictureSize& size);

}  // namespace berth

#endif  // BERTH_CLIENT_PICTURE_H_
