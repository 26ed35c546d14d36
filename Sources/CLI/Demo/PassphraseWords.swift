/// 512 common words of three to six letters: each, chosen evenly, is worth exactly 9 bits.
let passphraseWords: [String] = """
  acid acorn actor agent album alder alley almond alpine amber amigo anchor angel ankle apple april apron arbor arch
  arena armor arrow artist aspen atlas attic autumn avenue bacon badge bagel baker bamboo banana banjo barley barn
  barrel basil basin basket beach beacon beard beaver bench berry birch bishop bison boat bonus border bottle bow
  brass bread brick bridge bronze broom brush bubble bucket budget bugle bunker butter button cabin cable cactus cake
  camel camera candle candy canoe canvas canyon cape carbon cargo carpet carrot castle cedar cello cement chalk cherry
  chess chorus cider cinema circle citrus clay cliff cloak clock cloud clover coal coast cobalt cocoa coffee comet
  copper coral cotton couch cradle crane crater cream crown cuckoo cycle dagger dairy daisy dance decade delta denim
  depot desk diary dinner domino donkey door dragon drama dream drum duck dune dusk dwarf eagle early earth easel echo
  eight elbow elder elm ember empire engine epoch essay exit fable fabric falcon family farm fence fern ferry fiddle
  field fig finch finger flag flame flute foam fog forest forge fossil fox frame frost fruit funnel galaxy gallop
  garden garlic garnet gate gecko geyser giant ginger glass glove goat gold goose gospel grain grape gravel grove
  guava guitar gully habit hammer harbor harp hat hawk hazel heart hedge helmet heron hill hinge hockey honey hood
  hook horn horse hotel house humble hut ice icon igloo index indigo ink inlet insect iris iron island ivory ivy
  jacket jade jaguar jam jar jazz jelly jewel jigsaw joker judge juice jungle jury kayak kennel kernel kettle key
  kidney kimono king kiosk kite kitten kiwi knee knight knot koala label ladder ladle lagoon lake lamp laptop lark
  latch laurel lava lawn lemon letter lever lichen lilac lily linen lion lizard llama locket lodge lotus lumber lunch
  lute lynx lyric magnet magpie mango mantle maple marble market marsh mask meadow medal melody melon mentor meteor
  metro milk mill mint mirror mitten moat model moon moose moss motor mouse muffin museum music myth napkin nectar
  needle nest nickel night noble north novel nugget nut nylon oak oasis oat oboe ocean octave olive omega onion opal
  opera orange orbit orchid organ osprey otter oven owl oyster paddle palace palm panda panel papaya paper parade
  parrot pasta path peach peanut pearl pebble pencil pepper piano pickle picnic pigeon pillow pilot pine pirate planet
  plaza plum pocket poem polar pond pony poppy potato prism puffin puzzle quail quarry quartz queen quill quilt rabbit
  radar radio raft rain ranch raven reef ribbon rice ridge river robin robot rocket roof rope rose ruby rug saddle
  sail salad salmon salt sandal satin saucer scarf school seal sheep shell shore silk silver siren sleigh snow soap
  socket sofa spark spice spiral sponge spoon spruce squid stable statue stone storm stove sugar summer sunset swan
  syrup table tango teapot temple tennis ticket tiger timber toast tomato topaz torch trail train tulip tunnel turtle
  uncle urban valley vase velvet violet violin waffle wagon walnut walrus water wheat willow window winter wizard wolf
  wood yacht yarn yellow yogurt zebra zenith zinc
  """.split(whereSeparator: \.isWhitespace).map(String.init)
