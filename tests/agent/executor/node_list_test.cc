#include "agent/executor/node_list.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <gtest/gtest.h>

namespace berth {
namespace {

struct ListCase {
  std::vector<std::string> names;
  const char* list;
};

TEST(CompressNodeList, JoinsNeighboursThatDifferInANumber) {
  const ListCase cases[] = {
      {{},                                         ""                                   },
      {{"qd-a03"},                                 "qd-a03"                             },
      {{"qd-a03", "qd-a04"},                       "qd-a[03-04]"                        },
      {{"qd-a03", "qd-a04", "qd-a06"},             "qd-a[03-04,06]"                     },
      {{"qd-a03", "qd-a04", "qd-a05", "qd-a06"},   "qd-a[03-06]"                        },
      {{"n9", "n10", "n11"},                       "n[9-11]"                            },
      {{"n09", "n10"},                             "n[09-10]"                           },
      {{"n99", "n100"},                            "n[99-100]"                          },
      {{"n1", "n02"},                              "n[1,02]"                            },
      {{"n1", "n01"},                              "n[1,01]"                            },
      {{"a1", "b1", "b2"},                         "a1,b[1-2]"                          },
      {{"head", "n1", "n2"},                       "head,n[1-2]"                        },
      {{"head", "tail"},                           "head,tail"                          },
      {{"1", "2"},                                 "[1-2]"                              },
      {{"gpu1a", "gpu2a"},                         "gpu[1-2]a"                          },
      {{"r1-n1", "r1-n2", "r2-n1"},                "r1-n[1-2],r2-n1"                    },
      {{"n1.rack2.lan", "n2.rack2.lan"},           "n[1-2].rack2.lan"                   },
      {{"n1.rack2", "n1.rack3"},                   "n1.rack2,n1.rack3"                  },
      {{"n1", "head", "n2"},                       "n1,head,n2"                         },
      {{"x1234567890123456", "x1234567890123457"}, "x1234567890123456,x1234567890123457"},
  };
  for (const ListCase& test : cases) {
    EXPECT_EQ(CompressNodeList(test.names), test.list) << absl::StrJoin(test.names, " ");
  }
}

// The first name is rank 0's node.
TEST(CompressNodeList, KeepsTheOrder) {
  EXPECT_EQ(CompressNodeList({"n5", "n3", "n4", "n1"}), "n[5,3-4,1]");
}

TEST(CompressNodeList, FourThousandNodesAreOneRange) {
  std::vector<std::string> names;
  names.reserve(4096);
  for (int i = 0; i < 4096; ++i) {
    names.push_back(absl::StrCat("node-", i));
  }
  EXPECT_EQ(CompressNodeList(names), "node-[0-4095]");
}

}  // namespace
}  // namespace berth
