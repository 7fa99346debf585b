#include "scheduler/store/column_codec.h"

#include "gtest/gtest.h"

#include "scheduler/core/ids.h"

namespace berth {
namespace {

TEST(ColumnCodec, KeepsEveryText) {
  using Texts = std::vector<std::string>;
  const Texts plain = {"a", "b c"};
  const Texts strange = {"\n", "\\", "\\n", "a\\", "=", "\\e", ""};
  for (const Texts& list : {Texts(), Texts(1), Texts(2), plain, strange}) {
    EXPECT_EQ(DecodeLines(EncodeLines(list)), list);
    for (const std::string& key : list) {
      for (const std::string& value : list) {
        const std::map<std::string, std::string> pairs = {
            {key, value},
            {"z", "1"  }
        };
        EXPECT_EQ(DecodePairs(EncodePairs(pairs)), pairs);
      }
    }
  }
}

TEST(ColumnCodec, IsReadable) {
  EXPECT_EQ(EncodePairs({
                {"pool", "a=b"},
                {"zone", "1"  }
  }),
            "pool=a=b\nzone=1\n");
  EXPECT_EQ(EncodeInts({3, -1}), "3,-1");
  EXPECT_EQ(EncodeIds<ClassId>({ClassId(4), ClassId(1)}), "4,1");
}

TEST(ColumnCodec, KeepsNumbersInOrder) {
  EXPECT_EQ(DecodeInts("3,-1"), (std::vector<int>{3, -1}));
  EXPECT_TRUE(DecodeInts("").empty());
  EXPECT_EQ(DecodeIds<ClassId>("4,1"), (std::vector<ClassId>{ClassId(4), ClassId(1)}));
}

}  // namespace
}  // namespace berth
