"""Story skeletons: our own little plots, written as templates.

`{a|b}` picks one alternative (they nest, and an empty one drops the sentence), `[slot]` is
filled from the cast of the story, and a slot with a capital first letter is capitalised.
Slots: h/he/him/his/himself the hero, f/fhe/fhim/fhis the friend (fintro at first sight),
g/ghe/ghis the old helper (gintro at first sight), obj/thing the hero's object, p1 p2 p3 three
different places, time/wx a time and its weather, and others listed in `stories.Cast`.
A blank line may become a new paragraph. `ask` is how somebody would ask for this plot.
"""

from collections import namedtuple

Skeleton = namedtuple("Skeleton", "name sea needs ask themes body morals")

SKELETONS = []


def add(name, ask, themes, body, morals, sea=False, needs=""):
    """Registers one plot; `needs` names the slots that a request may mention."""
    SKELETONS.append(Skeleton(name, sea, needs, ask, themes, body.strip(), morals))


FRIENDS = [
    "{From that day on|After that}, [h] and [f] were best friends.",
    "[H] and [f] played together every day.",
    "And [h] and [f] stayed friends for a very long time.",
    "[H] and [f] laughed all the way home.",
]

add("lost thing", "who loses [his] [thing]", ["losing something", "looking for something"], """
[H] had a [obj]. {It was [his] favorite thing in the whole world.|[He] took it everywhere.|[His] grandmother had given it to [him].|[He] loved it very much.}

[Time], the [thing] was gone! {"Oh no! Where is my [thing]?" cried [h].|"Where is my [thing]?" asked [h]. {A tear rolled down [his] cheek.|[His] heart felt heavy.}|[H] {felt very sad.|began to cry.}}
[He] looked [p1], but {it was not there|the [thing] was not there}. [He] looked [p2], but {there was nothing|[he] found nothing|it was not there either}.

{Then|Just then} [he] met [fintro]. "{Why are you so sad|What is wrong|What are you looking for}?" asked [f]. "{I have lost my [thing]|I lost my [obj]|I cannot find my [thing]}," said [h]. "{Do not worry|Do not cry|Cheer up}. {I will help you|Let us look together|We will find it}," said [f].
{They looked and looked.|They looked high and low.|} {At last|In the end}, {[f] saw something [p3].|they went to look [p3].} {It was the [obj]!|There was the [obj]!}
"Thank you!" said [h], and [he] gave [f] a big hug.
""", FRIENDS + ["[H] learned that looking is easier with a friend.",
                "From then on, [h] always took good care of the [thing]."], sea=True, needs="obj")

add("sharing", "who shares [his] [food]", ["sharing", "being kind"], """
[Time], [h] {packed some [food] and went for a walk|went out with some [food] in a basket|sat down [p1] to eat some [food]}. [wx]

{Soon|After a while}, {[fintro] came along|[he] saw [fintro]|[fintro] walked by}. {[F] looked thin and hungry.|[F] looked at the [food] and said nothing.|[F] had nothing to eat.} "{Are you hungry|Would you like some|Do you want some [food]}?" asked [h]. "{Yes, please|Oh yes|Very much}," {said|whispered} [f].
[H] {did not have much, but|thought for a moment. Then} [he] {broke the [food] in two|gave half of the [food] to [f]|shared all of it}. {They ate together in the sun.|It tasted better than ever.|They both ate and smiled.}

{The next day|A week later|Many days later}, [h] {was very hungry and had no food at all|lost [his] lunch [p2]|had nothing to eat}. {Then there was a knock at the door.|Then [he] heard a voice.} It was [f] with {a basket full of [fruits]|a bag of sweet [fruits]}! "You shared with me, so now I share with you," said [f].
""", ["[H] learned that sharing makes everyone happy.", "Sharing is a good way to make a friend.",
      "They both knew that a kind heart is never hungry."] + FRIENDS[:2], needs="food")

add("fear", "who is afraid of [fear]", ["being brave", "being afraid"], """
{But [h] had one secret. [He] was|There was just one problem. [H] was|[H] was not afraid of mice or spiders, but [he] was} afraid of [fear]. {Every time, [he] hid under [his] blanket.|It made [his] knees shake.|[He] did not tell anyone.}

[Time], [h] {met|talked to} [gintro] [p1]. "{Why do you shake|What is the matter|What makes you so sad}?" asked [g]. "I am afraid of [fear]," {said|whispered} [h]. [G] {smiled|nodded}. "{Everyone is afraid of something|I was afraid too when I was small|It is all right to be afraid}," said [g]. "[cure]"
{That night|Soon after}, [h] {tried it|did just that}. {At first [his] heart went thump, thump, thump.|[He] took a deep breath.|[He] counted to three.} {Then|Little by little,} {it was not so bad|the fear became smaller and smaller|[he] began to smile}. {"I did it!" [he] cried.|"I am not afraid any more!" said [h].|"It is not scary at all," said [h].}
""", ["Being brave means trying even when you are afraid.", "[H] felt as brave as a lion.",
      "Now [h] helps others who are afraid of [fear].",
      "And from that day on, [h] was not afraid of [fear]."], needs="fear")

add("getting lost", "who gets lost", ["getting lost", "finding the way home"], """
[Time], [h] {went out to play|followed a blue butterfly|went to look for berries}. [wx] {[He] went far, much too far.|[He] did not look where [he] was going.}
Soon nothing looked the same. {"Where am I?" said [h].|"I am lost!" cried [h].|"Which way is home?" asked [h], but nobody answered.}

[He] sat down [p1] and {began to cry|felt very small|did not know what to do}. {Then|After a while} [fintro] came by. "{Are you lost|Do you need help|Are you all alone}?" asked [f]. "Yes, I want to go home. I live [home]," said [h].
"I know {that place|the way}! {Follow me|Come with me|Take my hand}," said [f]. They {went|walked} {past the mill and over the bridge|over the hill and past the pond|along the stream}. {They sang a song so that the way was not so long.|They told each other jokes.|} {At last|Before the sun went down}, [h] saw {a light in the window|[his] own front door}. [His] mother {ran out and hugged [him]|was so happy to see [him]}.
{"Please stay for supper," she said to [f].|They all had [food] for supper, and [f] stayed too.|}
""", ["[H] never went too far again.", "The next time, [h] looked at the way very carefully.",
      "[H] learned that it is good to ask for help."] + FRIENDS[:2])

add("stuck", "who helps somebody in trouble", ["helping others", "helping a friend"], """
[Time], [h] heard a small voice. "Help! Help!" it {cried|called}. [H] {looked around|stopped and listened}. There, [p1], was [fintro]. {[F] was stuck and could not move.|[F] was caught in an old net.}

"{Do not be afraid|Stay calm|I am here}. {I will help you|I will get you out}," said [h]. [He] pulled {and pulled|with all [his] might}, but {it did not work|nothing moved}. {Then [h] had a good idea.|[H] thought hard.} [He] {found a long stick and pushed|used a strong rope and pulled|called [g] to help, and they pulled together}. One, two, three, pop! [F] was free.
"{Thank you so much|You saved me|You are so kind}," said [f]. "{That is what friends are for|I was happy to help|You would do the same for me}," said [h].

{Some days later|Not long after that}, [h] {was caught in a net|was in trouble too|was stuck in a hole}. Who came to help? It was [f]!
""", ["[H] learned that one good deed leads to another.", "Even a small friend can be a big help."]
    + FRIENDS[:3], sea=True)

add("building", "who builds [build]", ["trying again", "never giving up", "building something"], """
{More than anything, [h] wanted to build [build].|[H] had a dream. [He] wanted to build [build].|One day, [h] said, "I will build [build]!"}

[He] {found some wood and a hammer|took old boards and some rope|worked the whole morning}. But when it was done, {it fell apart|a strong wind came and broke it|it fell down with a loud crash}. {[H] was sad, but [he] did not give up.|"I will try again," said [h].|{[F] laughed.|Some birds laughed.} But [h] tried again.}
The second time, {it broke in the middle|it was much too small|it fell over}. "{It will never work|This is too hard}," {sighed|said} [h]. Then [fintro] came by and {said|asked}, "{May I help you|Can we do it together|Shall I hold it for you}?"
Together they {worked all day|measured and cut and nailed}. {[F] held the boards and [h] used the hammer.|[H] made the plan and [f] found the best wood.} {In the evening|At last} it was ready. {It was the best thing [h] had ever seen.|It was big and strong.|It was perfect!}
""", ["[H] learned to never give up.", "Two can do what one cannot.",
      "Trying again is how big things are made."] + FRIENDS[:2], needs="build")

add("birthday", "who thinks that everyone forgot [his] birthday", ["a birthday", "a surprise"], """
It was [his] birthday, and [h] {woke up early|jumped out of bed|was very excited}. {But nobody said a word about it.|But the house was quiet.|But there was no cake and no song.}

[H] went to see [fintro]. "{Do you know what day it is|Is today a special day}?" asked [h]. "{It is just a day like any other|I do not know. I am very busy}," said [f], and {went away quickly|closed the door}. {[H] asked everyone, but nobody knew.|[H] felt sad and alone.|"They all forgot my birthday," thought [h].}
[He] sat down [p1] {with [his] head low|and looked at [his] feet}. {In the evening|When the sun went down}, [he] {went|walked slowly} home. It was dark inside. [H] opened the door, and {then|suddenly} {all the lights came on|there was light everywhere}. "Surprise!" {shouted|cried} all [his] friends.
There {was a big cake with candles|were balloons and a huge cake}, and [f] gave [him] a [obj]. "{We did not forget|How could we forget you}! Happy birthday, dear friend!" said [f].
""", ["It was the best birthday ever.", "[H] laughed and danced until bedtime.",
      "[H] knew that good friends never forget."], needs="obj")

add("storm", "in a big storm", ["a storm", "helping others"], """
[Time], {dark clouds filled the sky|the wind began to blow|the sky turned dark}. {Boom, boom, went the thunder.|The rain fell harder and harder.|The wind howled in the trees.} A storm was coming.

[H] {ran inside and closed the door|was safe and warm inside}. {Soon|Then} there was a knock. It was [fintro], all wet and cold. "{May I come in|Can I come in, please}?" asked [f]. "{Of course|Come in quickly}! {There is room for two|Sit by the fire}," said [h].
Knock, knock! Next came {a family of mice|two wet birds|three small frogs}. Then came [gintro]. {The house was small, but everybody found a place.|They all sat close together.} [H] made {hot tea|warm milk|soup} for everyone, and [g] told {a funny story|old stories}.
{In the morning|When they woke up}, the storm was over. {A rainbow stood in the sky.|The sun was shining again.|Everything was fresh and bright.} "{Thank you for the warm place|You are a good friend}," said [f].
""", ["There is always room for a friend.", "[H] learned that a small house can be a big help.",
      "After every storm, the sun comes out again."] + FRIENDS[:2])

add("race", "who runs in a race", ["a race", "winning and losing"], """
[Time], there was a big race. {All the neighbors came to watch.|Everybody in the land was there.} [wx] [H] {wanted to win very much|had trained for many days|was ready to run}. {[Fintro] wanted to win too.|The fastest of all was [fintro].}

"{Ready, set, go|One, two, three, go}!" {called|cried} [g1]. [H] ran as fast as [he] could. {[He] ran past the well and over the hill.|The wind blew in [his] face.} {Soon only [f] was in front of [him].|Soon [h] and [f] were side by side.} But then [f] {slipped on a wet stone|fell into the mud|hurt [fhis] foot} and cried, "Ouch!"
[H] {could see the end of the race|was close to the finish}. {[He] stopped.|But [he] did not run on.} "{Are you hurt|Can you stand up}?" [he] asked. {[H] helped [f] up, and they|Then [h] took [f] by the hand, and together they} {walked|went} to the finish. {They came in last, but everyone clapped.|Everybody cheered for both of them.}
{"You could have won the race," said [f].|"Why did you stop?" asked [f].} "{A friend is better than a prize|I would rather have a friend}," said [h].
""", ["Winning is not the most important thing.", "They both got {a medal|a prize} that day.",
      "[H] learned that helping is a way of winning."] + FRIENDS[:2])

add("seed", "who plants a seed", ["a garden", "being patient", "a seed"], """
[Time], [gintro] gave [h] a tiny {brown |black |}seed. "{Plant it and take care of it|Put it in the ground and be patient}," said [g]. [H] planted the seed [p1] and gave it water.

{The next day|In the morning}, [h] {ran to look|looked at the ground}. There was nothing. [He] waited {one day, two days, three days|a whole week}. Still nothing. "{Maybe it is sleeping|It does not want to grow}," said [h]. "{Good things need time|You have to be patient}," said [g].
So [h] gave it water every day. {[He] sang a little song to it.|[He] told it funny stories.|[He] pulled out the weeds.} {One morning|Then one day}, there was a small green leaf! {It grew and grew.|Day by day it grew taller.} In the summer, it was {a sunflower as tall as a house|a huge pumpkin|a little apple tree|a bush full of red roses}. {[Fintro] came to see it, and so did all the neighbors.|Everybody came to see it.} {"I knew you could do it," said [g].|[H] was very proud.}
""", ["Good things take time.", "[H] learned to be patient.",
      "And every spring, [h] plants a new seed."])

add("star wish", "who makes a wish on a star", ["a star", "a wish"], """
[H] was often lonely. {One night|One clear night|One quiet evening}, [he] looked up at the sky. {A star fell, bright and fast.|One star was brighter than all the others.} "{Little star|Dear star}, {I wish I had a friend|please send me a friend}," {whispered|said} [h]. {Then [he] went to sleep.|The star winked at [him].}

{In the morning|The next day}, [h] heard {a sound|somebody singing|a soft knock} outside. {[He] opened the door.|[He] ran to look.} There was [fintro]{ with a small bag|}. "{Hello, I am new here|I have just moved here}. {Do you want to play|Would you like to play with me}?" asked [f].
{[H] could not believe it.|[H] jumped for joy.} They {played with the [obj]|played hide and seek|climbed the hill and rolled down again} all day long. {[F] was afraid of nothing, and [h] knew the best places.|They laughed so much that it hurt.}
{That night|In the evening}, they sat side by side and looked at the sky. "{Do you know what I wished for|Can you guess what my wish was}?" asked [h]. "{I made the same wish|So did I}," said [f]. {And the star smiled.|High above, the star was shining.}
""", ["Sometimes wishes do come true.", "[H] was never lonely again.",
      "And they both said, \"Thank you, little star.\""] + FRIENDS[:1])

add("truth", "who breaks [breakable]", ["telling the truth", "being honest"], """
[Time], [h] was playing inside with {the [obj]|a ball}. {[His] mother had said, "Do not play in the house."|[He] was running and jumping.} Crash! [He] had broken [breakable].

{"Oh no!" said [h].|[H] turned red.|[His] heart beat fast.} [He] {hid the pieces under the bed|put the pieces in a box|wanted to run away}. {[Fintro] saw it and asked, "What will you say?"|"What shall I say?" [he] thought.} "{I will say that the cat did it|I will say nothing}," thought [h]. But [he] {felt bad all day|could not eat [his] supper|could not sleep}.
{In the evening|At last}, [h] went to [his] mother. "{I broke [breakable]. I am sorry|It was me. I broke [breakable]}," [he] said{ in a small voice|}. [His] mother {was quiet for a moment|looked at [him]}. Then she {hugged [him]|smiled}. "{Thank you for telling the truth|I am glad that you told me|That was very brave}," she said. "{We can fix it together|Let us mend it with glue}."
""", ["[H] learned that the truth is always best.", "After that, [h] slept well.",
      "Telling the truth made [his] heart light again."], needs="breakable")

add("new neighbor", "who has a new neighbor", ["making friends", "a new neighbor", "friendship"], """
[Time], [fintro] moved {in next door|into the empty house}. {[F] was very shy and did not say a word.|[F] did not know anybody.|[F] looked out of the window but did not come out.}

[H] wanted to say hello. {But how?|But [he] was a little shy too.} First [he] waved. [F] {hid|went away}. {The next day|Then} [he] left {some [fruits]|a flower|a drawing} at the door. {The door opened a tiny bit.|[F] took it and smiled a little.}
On the third day, [h] came with [his] [obj]. "[hello]! Do you want to play with my [thing]?" asked [h]. [F] {looked at the [thing]|thought about it} and {whispered|said}, "Yes, please." {They played until the sun went down.|They took turns with the [thing].|They played all day.}
"{I was afraid that nobody would like me|I did not know how to say hello}," said [f]. "{I like you|It is easy. You just say hello}," said [h].
""", ["A little hello can start a big friendship.", "[H] learned that a new friend needs time."]
    + FRIENDS, needs="obj")

add("strange noise", "who hears a strange noise", ["a strange noise", "the night"], """
One night, [h] {woke up|could not sleep}. {Tap, tap, tap!|Squeak, squeak!|Scratch, scratch!} There was a strange noise {outside|behind the door|under the floor}. {"What is that?" [he] whispered.|"Is it a monster?" thought [h].|[His] ears went up.}

[H] took {a small lamp|[his] [obj]} and went to look. {[He] walked on tiptoe.|The floor went creak, creak.} {The noise grew louder and louder.|There it was again!} [He] {counted to three and opened the door|held up the light}.
There was no monster at all. It was only [fintro]! "{I am sorry|Please do not be angry}. {I am cold and hungry|I was looking for a place to sleep|I lost my way in the dark}," said [f]. [H] laughed. "{And I thought you were a monster|You gave me a fright}! {Come in|Come inside}. {You can sleep here|You can have some [food]}," [he] said.
{Soon they were both fast asleep.|They had [food] together in the middle of the night.|[F] yawned, and soon they both slept.}
""", ["Most strange noises are not scary at all.", "[H] learned to look before being afraid."]
    + FRIENDS[:3])

add("learning", "who learns to [skill]", ["learning something new", "practice"], """
[H] wanted to learn to [skill]. {All [his] friends could do it.|[He] thought about it day and night.|"How hard can it be?" said [h].}

[Time], [he] tried for the first time. {It went all wrong.|It was terrible!|Oh dear, what a mess!} {Everybody laughed.|"I will never learn it," said [h].|[H] wanted to give up.} But [gintro] {saw it|was watching}. "{Nobody can do it the first time|Try a little every day}," said [g]. "{I will show you how|I can teach you}."
So [h] tried {every morning|again and again|the next day, and the day after that}. {It was hard work.|Sometimes [he] was tired.} {But each time it went a little better.|Slowly, slowly, it got better.} {Then one day|After a few weeks}, it worked! [H] could [skill]! "{Look at me|I can do it|Look, I did it}!" [he] cried.
{[G] clapped.|Everybody clapped, and nobody laughed any more.|[G] was very proud of [him].}
""", ["Practice makes everything easier.", "[H] learned that you must not give up.",
      "Now [h] teaches others how to [skill]."], needs="skill")

add("quarrel", "who has a fight with a friend", ["saying sorry", "friendship"], """
[H] and [fintro] {were best friends|did everything together}. [Time], they found a [obj] [p1]. {"It is mine! I saw it first!" said [h].|"I want it!" cried [h].} "{No, it is mine|No, I want it}!" {said|shouted} [f]. {They pulled and pulled.|They shouted at each other.}

[H] went home with the [thing], but {playing alone was no fun|[he] was not happy}. {Everything was very quiet.|[He] missed [f].} {"The [thing] is nice, but a friend is nicer," thought [h].|"I was not fair," thought [h].}
[He] {took the [thing] and went to see [f]|went back}. At the same time, [f] was coming to see [h]. They met [p2]. "{I am sorry|I am so sorry}," said [h]. "{I am sorry too|No, I am sorry}," said [f]. {They both laughed.|They hugged each other.} "{You can have it|Let us share it|We can take turns}," said [h].
""", ["A friend is worth more than any [thing].", "[H] learned that saying sorry is a good start.",
      "They shared the [thing], and it was twice the fun."] + FRIENDS[1:], sea=True, needs="obj")

add("scary stranger", "who meets [abig]", ["not being afraid of others", "making friends"], """
{Everybody was afraid of [thebig] [p1].|People said that [abig] lived [p1]. Everybody was afraid.|"Never go there. There is [abig]," people said.} {Nobody had ever talked to [bhim].|They said that [bhe] was mean and loud.|}

[Time], [h] {went there by mistake|lost [his] way and came there|wanted to see for [himself]}. And there sat [thebig]! [Bhe] was {very big|as big as a house}, and [bhe] was crying. {[H] was afraid, but [he] did not run away.|[H] took one small step, and then another.} "{Why are you crying|What is wrong}?" asked [h].
"{I have no friends|I am all alone}. {Everybody runs away from me|Nobody wants to talk to me}," said [thebig]. "{I am not running away|I will be your friend}," said [h]. {[He] sat down and shared some [food].|[He] told a joke, and [thebig] laughed so hard that the ground shook.}
{The next day|After that}, [h] brought [his] friends. {At first they were afraid too.|"Do not be afraid," said [h].} But [thebig] {carried them all on [bhis] back|gave them rides|told them wonderful stories}, and {soon nobody was afraid|they all had fun}.
""", ["[H] learned that big and scary can be kind and gentle.", "You cannot know a heart from outside.",
      "And [thebig] was never alone again."], needs="big")

add("key", "who finds a key", ["a secret door", "a treasure", "an adventure"], """
[Time], [h] found a {small|rusty|golden|silver} key [p1]. "{What does it open|I wonder what it opens}?" said [h]. {[He] tried it on [his] own door. No.|[He] showed it to [fintro], and they looked for the lock together.}

{[He] tried the barn and the mill. No and no.|[He] tried every door in the land.} Then [gintro] said, "{There is a little door|I know an old door} [p2]. {Nobody has opened it for a hundred years|It has been closed for a long, long time}." {So [h] went there at once.|[H] ran all the way.} The key turned. Click! The door opened.
Behind it was {a secret garden full of flowers and birds|a room full of toys and books|a stair that led up to a tower with a view of the whole land|a garden where every tree had golden apples}. {"How beautiful!" cried [h].|[H] could not believe [his] eyes.} "{It is all yours now|You found it, so it is yours}," said [g]. {But [h] did not want it only for [himself].|"No, it is for everyone," said [h].} [He] left the door open, and {everyone could come in|all [his] friends came to play}.
""", ["The best treasure is one that you can share.", "It was {a great adventure|the best day ever}.",
      "[H] still keeps the key {on a string|under [his] pillow}."])

add("moon", "who looks for the moon", ["the moon", "the night"], """
One night, [h] looked up, and the moon was not there. "{Where is the moon|Who took the moon}?" {asked|cried} [h]. {"I must find it!" [he] said.|[He] put on [his] hat and went to look for it.}

[He] asked [fintro]. "{Have you seen the moon|Do you know where the moon is}?" "{No, but I will help you look|No, but I will come with you}," said [f]. They looked [p1] and [p2]. {No moon.|The moon was not there.} Then they came to the lake, and there, in the water, was something round and bright. "{The moon fell into the lake|There it is}!" cried [h].
They met [gintro], who laughed softly. "{Look up|Look behind you}," said [g]. The clouds had moved away, and the moon was high in the sky. {"It was only hiding behind a cloud," said [g].|"The moon was there all the time. It was behind the clouds."} {[H] laughed too.|"Good night, moon," said [h].} {They walked home in the silver light.|The moon lit up the way home.}
""", ["Sometimes a thing is there even when you cannot see it.", "That night, [h] slept very well.",
      "And the moon smiled down on all of them."])

add("bedtime", "who cannot sleep", ["bedtime", "going to sleep", "dreams"], """
It was late, and {the stars were out|everybody was asleep}, but [h] could not sleep. {[He] turned to the left. [He] turned to the right.|[He] counted sheep, but the sheep ran away.|The bed was too soft, and the night was too quiet.}

[H] got up and went to [his] {mother|father}. "{I cannot sleep|I am wide awake}," [he] said. "{Drink some warm milk|Think of something nice}." [H] did, but {it did not help|[he] was still awake}. {[He] asked [fintro], who said, "Count the stars."|[He] looked out and saw [fintro] on the grass. "Count the stars," said [f].} [H] counted ten stars and was still awake.
Then [gintro] {came by and }said, "{Close your eyes and think of the best thing today|Tell me about your day}." [H] {closed [his] eyes|lay down}. [He] thought of {the [obj]|the sun on the hill}, and of [his] friends, and of {the [food]|the warm wind}. {[His] eyes grew heavy.|[He] gave a big yawn.} {Before [he] could say good night, [he] was asleep.|Soon [he] was fast asleep.}
""", ["Good night, little one.", "[H] dreamed of flying over the hills.",
      "And all [his] dreams were sweet.", "Sleep well, [h]."])

add("cooking", "who cooks [dish]", ["cooking", "working together"], """
[Time], [h] wanted to make [dish]. [He] looked in the kitchen, but {[he] had no [ing1]|there was nothing but [ing2]}. {"What shall I do?" said [h].|"I cannot make [dish] alone," said [h].}

{So [he] went next door to [fintro].|Just then [fintro] came by.} "{Do you have any [ing1]|Can you give me some [ing1]}?" asked [h]. "{Yes, I do|Of course}! {I will help you cook|I will bring it}," said [f]. Then [gintro] came with {some [ing3]|a bag of [ing3]}. {A mouse brought a tiny bit of cheese.|Somebody brought a big spoon.|}
They {stirred and tasted and stirred again|washed and cut and stirred}. {It smelled wonderful.|The whole house smelled good.} {There was a little too much [ing2], but nobody cared.|[F] got flour on [fhis] nose, and everybody laughed.|} {Soon everything was ready.|At last it was done.} They all sat at one long table and ate. "{This is the best food in the world|It tastes so good because we made it together}," said [h].
""", ["Many hands make light work.", "[H] learned that cooking together is the most fun.",
      "There was not one bit left on the plates."], needs="dish")

add("greedy", "who eats too many [fruits]", ["being greedy", "eating too much"], """
[Time], [h] found {a basket|a bowl|a big bag} full of [fruits] [p1]. They were {big and sweet|fresh and sweet}. [H] ate one. Then [he] ate two more. {Yum!|They were so good!}

[Fintro] came by. "{May I have one, please|Will you give me some}?" asked [f]. "{No, they are all mine|No, I found them}!" said [h]. {[F] went away sadly.|[F] was sad and went home.} [H] ate and ate until {all the [fruits] were gone|there was not one left}.
But then [his] tummy began to hurt. "{Ow, ow, ow|Oh, my tummy}!" cried [h]. {[He] rolled on the ground.|[He] could not even walk.} {[F] heard it and came back|Who came back? It was [f],} with {a cup of tea|some warm tea}. "{Drink this. It will help|This will make you feel better}," said [f].
[H] {felt better, but [he] was ashamed|drank the tea and felt better}. "{I am sorry. I should have shared|I was greedy. I am sorry}," [he] said. "{I know where there are more [fruits]|Tomorrow we will find more}. {We can share them|This time we will share}," said [f].
""", ["[H] never ate too many [fruits] again.", "It is better to share than to have a sore tummy.",
      "[H] learned not to be greedy."], needs="fruits")

add("gift", "who makes a gift for [his] [rel]", ["a gift", "family", "love"], """
{Tomorrow was the birthday of [his] [rel].|[H] loved [his] [rel] very much.} [H] wanted to give [rhim] {a gift|something special}. But [he] had no money. {"What can I give?" [he] thought.|"What shall I do?" asked [h].}

[H] asked [fintro]. "{Give something that you made|Make something nice}," said [f]. So [h] {looked [p1] and [p2]|went out to look for things}. [He] found {a shiny button|a smooth stone|a white shell} and {a piece of string|a bit of gold}. [H] worked {all evening|for a long time}. {[F] helped [him] with the knots.|It was not easy.} {In the end|At last}, [he] had made {a little crown|a pretty necklace|a small picture|a tiny boat}.
{The next day|In the morning}, [h] gave it to [his] [rel]. "{It is not much|I made it}," [he] said. [His] [rel] {had tears in [rhis] eyes|smiled from ear to ear}. "{You made this for me|Did you make this}? {It is the best gift of all|I will keep it forever|I love it}!" said [his] [rel].
""", ["A gift from the heart is the best gift.", "[H] was {very|so} happy that day.",
      "[H] learned that love is worth more than gold."], sea=True, needs="rel")

add("letter", "who has to bring a letter", ["a letter", "keeping a promise"], """
[Time], [gintro] gave [h] a letter. "{Please bring it to [flong]|Take this to [flong], please}. {It is very important|Do not lose it}," said [g]. "{I promise|You can count on me}," said [h], and off [he] went.

[wx] {First|After a while}, [he] came to a river. There was no bridge, so [h] {jumped from stone to stone|made a raft from old wood}. Then came a steep hill. {[H] was tired, but [he] climbed on.|Up and up [he] went.} {Then a strong wind took the letter! [H] ran after it and caught it [p1].|Then the letter fell into the mud! [H] cleaned it with [his] sleeve.} "{A promise is a promise|I will not give up}," said [h].
In the evening, [he] came to [fdef]. [F] opened the letter and {laughed with joy|began to smile}. "{It says that I am invited to a party, and you are too|It says that I should give you a [obj]|It says: the one who brings this letter is a true friend}!" said [f].
""", ["[H] had kept [his] promise.", "[H] learned that a promise is a promise.",
      "It had been a long way, but [h] was happy."])

add("snow", "who sees snow for the first time", ["snow", "winter"], """
One winter morning, [h] looked out of the window. Everything was white! "{What is that|What happened|Who painted the world white}?" asked [h]. {[He] had never seen snow before.|It was the first snow of [his] life.}

[H] {ran outside|put on a hat and went out}. {The snow was cold and soft.|The snow went crunch, crunch, crunch.} A snowflake {fell on [his] nose|landed on [his] nose}, and [he] {laughed|sneezed}. Then [fintro] came by {with a sled|with a big smile}. "{Do you want to play in the snow|Come and play}!" said [f].
They {made a big snowman|rolled three big balls of snow}. {They used stones for the eyes and a carrot for the nose.|[H] gave it [his] hat.} Then they {slid down the hill again and again|threw snowballs}. Whee! {When their noses were cold|When it got dark}, they went inside and had {hot chocolate|warm milk|hot soup} by the fire.
{"Will the snow be here tomorrow?" asked [h].|"I like snow," said [h].} "{I hope so|Yes, and I will be here too|Me too}," said [f].
""", ["It was a wonderful winter day.", "[H] dreamed of snow all night."] + FRIENDS[1:3])

add("magic", "who finds a magic [mthing]", ["magic", "three wishes", "a wish"], """
[Time], [h] found a {strange|shiny|round} [mthing] [p1]. [He] rubbed it, and {a voice said|it began to speak}, "I am magic. You may have {three wishes|one wish}." {[H] could hardly believe it.|"Is this true?" asked [h].}

{"I wish for a mountain of [fruits]," said [h]. Puff! There was a mountain of [fruits].|"I wish that I could fly," said [h]. Whoosh! Up [he] went.|First [h] wished for a golden house. Puff! There it was.} {It was fun for a while.|That was nice.} But {it was not much fun alone|soon [he] felt lonely}. {Then|Just then} [h] saw [fintro], who was {sick|crying|very sad}. "{I have lost my home|I feel so alone|I have nobody to play with}," said [f].
[H] {did not think long|held the [mthing]}. "I wish that [f] will be happy and well," [he] said. {The [mthing] glowed.|There was a bright light.} [F] {smiled and stood up|laughed and danced}. "{You gave your wish to me|That was so kind of you}!" said [f]. "{It was the best wish of all|Now I am happy too}," said [h]. {And the [mthing] became quiet and gray.|The magic was gone, but [h] did not mind.}
""", ["The best wish is a wish for somebody else.", "[H] learned that kindness is the best magic."]
    + FRIENDS[:2], sea=True, needs="mthing")

add("traveler", "who helps an old traveler", ["kindness", "helping others"], """
[Time], [gintro] came {down the road|along the path} with a heavy bag. [wx] {Everybody was too busy to help.|People walked past and did not look.} But [h] {stopped and asked, "May I help you?"|said, "Let me carry your bag."}

Together they walked {up the hill|to the next village}. {[H] carried the bag and did not complain.|The bag was heavy, but [h] was strong.} They talked about {the stars|far lands|the sea}, and the way was not so long. {At the end|At the top}, [g] said, "You have a kind heart. {Take this|This is for you}." It was a [obj].
"{I cannot take this|Thank you, but I do not need anything}," said [h]. "{When you are sad, hold it and think of today|Keep it, and it will bring you luck}," said [g]. {Then [g] was gone.|[G] waved and went on.}
[H] {went home with a light heart|took the [thing] home}. {The next day, [he] met [fintro], who was sad. [H] gave the [thing] to [f], and [f] smiled.|And when [he] was sad, [he] held the [thing] and smiled.}
""", ["A kind act is never lost.", "[H] learned that kindness comes back to you.",
      "And the [thing] always brought good luck."], needs="obj")

add("bridge", "who fixes a bridge", ["working together", "a broken bridge"], """
[Time], the old bridge over the river broke. {Nobody could get to the other side.|One side could not visit the other side any more.} {"What shall we do?" everybody asked.|Everybody talked, but nobody did anything.}

[H] {had an idea|thought about it all night}. "{If we all help, we can build a new one|Let us build a new bridge}," said [h]. {"You are too small," said [g1].|Some of them laughed.} But [fintro] said, "{I will help|It is a good idea}." [H] and [f] carried {the first stone|the first log}. {Then others came, first one, then two, then ten.|Soon more and more friends came.} {Some carried wood, and some tied ropes.|The strong ones carried, and the small ones tied knots.}
After {three days|a week}, the bridge was {ready|done}. It was {strong and wide|better than the old one}. {They had a party right in the middle of it.|Everyone danced across it.} "{We did it together|Look what we can do together}!" said [h].
""", ["Together, small ones can do big things.", "They called it {Friendship Bridge|the Bridge of Friends}.",
      "[H] learned that one good idea can help everyone."])

add("helping a baby", "who finds a baby bird", ["a baby bird", "taking care of somebody"], """
[Time], [h] found a baby bird [p1]. {It had fallen out of its nest.|It was all alone.} "{Peep, peep|Cheep, cheep}!" {said|cried} the baby bird. "{Poor little thing|Do not be afraid}," said [h].

[H] made a soft nest {in a hat|from moss and leaves}. {[He] gave it water and crumbs.|[He] kept it warm all night.} [Fintro] came to see it. "{It must learn to fly|It wants to fly home}," said [f]. So every day {they took it to the hill|they helped it to move its wings}. {At first it only hopped.|It fell, and it tried again.} Flap, flap, flap!
{One morning|Then one day}, the baby bird {flew up into the air|spread its wings and flew}. {[H] was happy and sad at the same time.|"Good luck, little bird!" called [h].} {"Will it come back?" asked [h]. "I think so," said [f].|[F] waved, and [h] waved too.}
The next spring, there was a song at the window. {The bird had come back!|It was the little bird!}
""", ["[H] learned that loving means letting go.", "And every spring, the bird came back to sing.",
      "Taking care of somebody made [h] feel big and strong."])

add("dance show", "who is in a show", ["a show", "being yourself"], """
{There was going to be a big show|The whole land was getting ready for a show}. {Everybody had something to do.|Some wanted to sing and some wanted to dance.} "{What can I do|But what can I show}?" said [h]. {"I cannot sing, and I cannot dance," [he] said.|[H] thought that [he] had nothing to show.}

[Time], [he] {tried to sing like [fintro], but it sounded like a squeaky door|tried to juggle, but everything fell on the floor}. [H] was sad. [Gintro] said, "{Do not try to be like others|Just be yourself}. {What do you like most|What makes you happy}?" [H] thought about it. "{I like to tell stories|I like to make people laugh}," [he] said. "{Then do that|That is it}!" said [g].
On the evening of the show, [h] {stepped into the light|stood in front of everyone}. {[His] knees shook.|It was very quiet.} Then [he] {told a story about a [thing] that wanted to fly|told the funniest joke in the world}. {Everybody laughed and clapped.|They clapped and clapped.} "{More, more|Again, again}!" they {shouted|called}.
""", ["[H] learned that it is best to be yourself.", "[H] was {so|very} proud and happy.",
      "Everyone is good at something."])

add("robot repair", "who finds an old toy", ["an old toy", "taking care of things"], """
[Time], [h] found an old [toy] [p1]. {It was dirty and broken.|One wheel was gone, and the paint was old.} "{Nobody wants you any more|Poor thing}," said [h]. [He] took it home.

{First [h] washed it.|[He] cleaned it with warm water.} Then [he] {fixed it with glue and string|made a new wheel from a button}. {[Fintro] brought red paint.|[Fintro] brought some oil.} They worked {all afternoon|until supper}. {And look!|And then,} the old [toy] {was as good as new|began to shine}. {"It looks happy," said [f].|"It looks so nice!" said [f].}
Then {a little girl|a little boy} came by. "{That is my [toy]|Oh, that was my [toy]}! {I lost it long ago|I lost it last year}," {cried|said} the child. [H] {wanted to keep it, but [he] gave it back|smiled and gave it back}. {The child was so happy|The child jumped for joy}. "{You can always come and play with us|Let us all play together}," said the child.
""", ["It feels good to make somebody happy.", "[H] learned that old things can be wonderful.",
      "So [h] gave away a toy and found a new friend."])
