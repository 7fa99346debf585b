#include "client/log_lines.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include <gtest/gtest.h>

namespace berth {
namespace {

// Offset and time.
using Stamps = std::vector<std::pair<int64_t, int64_t>>;

v1::StreamLogsResponse Piece(const std::string& data, int64_t offset, const Stamps& stamps = {}) {
  v1::StreamLogsResponse piece;
  piece.set_data(data);
  piece.set_offset_bytes(offset);
  piece.set_rank(13);
  for (const auto& [at, time] : stamps) {
    v1::LogStamp* const stamp = piece.add_stamps();
    stamp->set_offset_bytes(at);
    stamp->set_at_us(time);
  }
  return piece;
}

// "time:text" of every line.
std::vector<std::string> Lines(const std::vector<v1::StreamLogsResponse>& pieces) {
  LineSplitter splitter;
  std::deque<LogLine> lines;
  for (const v1::StreamLogsResponse& piece : pieces) {
    splitter.Add(piece, lines);
  }
  splitter.End(lines);
  std::vector<std::string> texts;
  for (const LogLine& line : lines) {
    EXPECT_EQ(line.rank, 13);
    texts.push_back(absl::StrCat(line.at_us, ":", line.text));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(LineSplitter, ALineHasTheTimeOfItsFirstByte) {
  EXPECT_EQ(Lines({
                Piece("one\ntwo\nthree\n", 0, {{0, 10}, {5, 20}, {8, 30}, {10, 40}}
                  )
  }),
            (Texts{"10:one", "10:two", "30:three"}));
}

TEST(LineSplitter, ALineGoesOnInTheNextPiece) {
  EXPECT_EQ(Lines({
                Piece("one\ntw", 0, {{0, 10}, {4, 20}}
                  ), Piece("o\n", 6, {{6, 30}      }
                  ),
                Piece("end", 8, {{8, 40}}
                  )
  }),
            (Texts{"10:one", "20:two", "40:end"}));
}

TEST(LineSplitter, EmptyLinesAreLines) {
  EXPECT_EQ(Lines({Piece("\n\na\n", 0)}), (Texts{"0:", "0:", "0:a"}));
  EXPECT_EQ(Lines({}), Texts{});
}

// What is between has left the log: the two halves are no line.
TEST(LineSplitter, AGapEndsALine) {
  EXPECT_EQ(Lines({Piece("abc", 0), Piece("xyz\n", 100)}), (Texts{"0:abc", "0:xyz"}));
}

TEST(LineSplitter, ALineWithoutEndIsCut) {
  const size_t most = LineSplitter::kLineBytesMax;
  LineSplitter splitter;
  std::deque<LogLine> lines;
  splitter.Add(Piece(std::string(2 * most, 'x'), 0), lines);
  EXPECT_EQ(lines.size(), 1u);
  splitter.Add(Piece("y\n", static_cast<int64_t>(2 * most)), lines);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].text, std::string(most, 'x'));
  EXPECT_EQ(lines[1].text, std::string(most, 'x'));
  EXPECT_EQ(lines[2].text, "y");
}

// However the bytes are cut into pieces.
TEST(LineSplitter, PiecesMakeNoDifference) {
  const std::string log = "a\n\nbcd\n\r\nef\rgh\ni";
  const Stamps stamps = {
      {0,  1},
      {2,  2},
      {3,  3},
      {5,  4},
      {7,  5},
      {9,  6},
      {15, 7}
  };
  const auto from = [&stamps](size_t begin, size_t end) {
    Stamps those;
    for (const auto& stamp : stamps) {
      if (stamp.first <= static_cast<int64_t>(begin)) {
        those.clear();
      }
      if (stamp.first < static_cast<int64_t>(end)) {
        those.push_back(stamp);
      }
    }
    return those;
  };
  const Texts whole = Lines({Piece(log, 0, stamps)});
  EXPECT_EQ(whole.size(), 6u);
  for (size_t size = 1; size < log.size(); ++size) {
    std::vector<v1::StreamLogsResponse> pieces;
    for (size_t at = 0; at < log.size(); at += size) {
      const size_t end = std::min(at + size, log.size());
      pieces.push_back(Piece(log.substr(at, size), static_cast<int64_t>(at), from(at, end)));
    }
    EXPECT_EQ(Lines(pieces), whole) << size;
  }
}

}  // namespace
}  // namespace berth
